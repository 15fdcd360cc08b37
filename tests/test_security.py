"""What SECURITY.md says of the code, held against the code."""

import re
from pathlib import Path

from nas.documents import MAX_BYTES, MAX_DEPTH, MAX_NODES
from nas.records.trials import LONGEST

ROOT = Path(__file__).parents[1]
SOURCES = [path for room in ("nas", "search_spaces", "benchmarks") for path in sorted((ROOT / room).rglob("*.py"))]
SOURCES = [path for path in SOURCES if ROOT / "benchmarks" / "speed" not in path.parents]


def places(pattern: str) -> set[str]:
    """The files whose code has it."""
    found = re.compile(pattern)
    return {str(path.relative_to(ROOT)) for path in SOURCES if found.search(path.read_text(encoding="utf-8"))}


def test_the_limits_of_yaml_are_those_that_are_told() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert f"{MAX_BYTES:,} bytes, {MAX_DEPTH} levels, {MAX_NODES:,} nodes" in text
    assert f"{LONGEST // 1_000_000} million characters" in text


def test_yaml_is_read_by_the_one_reader_that_has_limits() -> None:
    assert places(r"\bYAML\(") == {"nas/documents.py"}
    assert not places(r"import yaml\b|from yaml\b|yaml\.(safe_)?load\(")


def test_pickles_are_loaded_only_where_another_process_of_ours_made_them() -> None:
    assert places(r"pickle\.loads?\(|Unpickler\(") <= {
        "nas/strategies/cma_state.py",  # Optuna's, of this process
        "nas/execution/template.py",  # multiprocessing's, of the process that began this one
        "nas/execution/ray_worker.py",  # Ray's
    }
    assert not places(r"joblib|\bmarshal\b|shelve|read_pickle|allow_pickle=True")
    assert not places(r"(?<!safetensors\.)torch\.load\((?![^()]*weights_only=True)")
    assert places(r"(?<!safetensors\.)torch\.load\(") <= {
        "nas/models/layers/shipped.py"
    }  # tensors alone, of a package that is named


def test_no_text_is_run_as_code_and_no_shell_is_asked() -> None:
    assert places(r"(?<![.\w])(eval|exec)\(") <= {
        "nas/exporting/forms.py",  # the source that it has just written, of classes that are imported, to hold it against them
    }
    assert not places(r"shell=True|os\.system\(|os\.popen\(")


def test_nothing_here_listens_on_a_port() -> None:
    assert not places(r"(?<!event)\.listen\(|HTTPServer|socketserver|create_server|start_server|connection import Listener")


def test_a_weakness_is_told_in_private_and_no_address_is_made_up() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert "@" not in text
    assert "private advisory" in text
