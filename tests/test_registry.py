import importlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nas import registry
from nas.errors import RegistryError
from nas.registry import LAYERS, SEARCH_SPACES


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs a package of one module under `tmp_path`, as pip would; undone when the test ends."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = []

    def install(package, entry_points, module="", source=""):
        folder = tmp_path / f"{package}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
        (folder / "entry_points.txt").write_text(entry_points, encoding="utf-8")
        if module:
            (tmp_path / f"{module}.py").write_text(source, encoding="utf-8")
            modules.append(module)
        registry.owners.cache_clear()

    yield install
    for module in modules:
        sys.modules.pop(module, None)
    registry.owners.cache_clear()


def told(group, name):
    with pytest.raises(RegistryError) as caught:
        registry.load(group, name)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_name_stands_for_the_object_of_another_teams_package(install):
    install("other-team", "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE", "toy_plugin", "SPACE = 'a space'")
    assert registry.load(SEARCH_SPACES, "toy_space") == "a space"


def test_nothing_is_imported_before_it_is_asked_for(install):
    install("other-team", "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE", "toy_plugin", "SPACE = 1")
    (point,) = registry.owners(SEARCH_SPACES)["toy_space"]
    assert point.value == "toy_plugin:SPACE"
    assert "toy_plugin" not in sys.modules


def test_names_are_listed_in_order_and_by_group(install):
    install("other-team", "[nas.search_spaces]\nzz_toy = a:A\naa_toy = b:B\n[nas.layers]\nlayer_toy = c:C")
    names = list(registry.owners(SEARCH_SPACES))
    assert names == sorted(names)
    assert {"aa_toy", "zz_toy"} <= set(names)
    assert "layer_toy" not in names
    assert "layer_toy" in registry.owners(LAYERS)


def test_an_unknown_name_is_answered_with_the_nearest(install):
    install("other-team", "[nas.search_spaces]\nwhole_new_toy = toy_plugin:SPACE")
    message = told(SEARCH_SPACES, "whole_new_tuy")
    assert message.startswith("No search space is called 'whole_new_tuy'. Did you mean 'whole_new_toy'? Known: ")
    assert "whole_new_toy" in message.partition("Known: ")[2]


@pytest.mark.parametrize(
    ("group", "noun"), [(registry.SEARCH_SPACES, "search space"), (registry.BENCHMARKS, "benchmark"), (LAYERS, "layer")]
)
def test_an_unknown_name_is_called_by_its_kind(group, noun):
    assert told(group, "no\nsuch").startswith(f"No {noun} is called 'no\\nsuch'. ")


def test_a_name_with_two_owners_is_refused_and_both_are_named(install):
    install("first-team", "[nas.search_spaces]\ntoy_space = first_plugin:SPACE")
    install("second-team", "[nas.search_spaces]\ntoy_space = second_plugin:SPACE")
    message = told(SEARCH_SPACES, "toy_space")
    assert message.startswith("The search space 'toy_space' is claimed by ")
    assert message.endswith("; uninstall one of them.")
    assert "first-team (first_plugin:SPACE)" in message
    assert "second-team (second_plugin:SPACE)" in message


def test_a_package_that_is_found_twice_is_one_owner(install, tmp_path, monkeypatch):
    entry_points = "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE"
    install("other-team", entry_points, "toy_plugin", "SPACE = 'a space'")
    again = tmp_path / "again" / "other_team-1.0.dist-info"
    again.mkdir(parents=True)
    (again / "METADATA").write_text("Metadata-Version: 2.1\nName: other-team\nVersion: 1.0\n", encoding="utf-8")
    (again / "entry_points.txt").write_text(entry_points, encoding="utf-8")
    monkeypatch.syspath_prepend(again.parent)
    registry.owners.cache_clear()
    assert registry.load(SEARCH_SPACES, "toy_space") == "a space"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ValueError('out of\\n luck')", "ValueError: out of luck"),
        ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("OTHER = 1", "AttributeError: module 'toy_plugin' has no attribute 'SPACE'"),
        ("SPACE = (", "SyntaxError: '(' was never closed (toy_plugin.py, line 1)"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_reported_by_name(install, source, reason):
    install("other-team", "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE", "toy_plugin", source)
    message = told(SEARCH_SPACES, "toy_space")
    assert message == f"The search space 'toy_space' of other-team (toy_plugin:SPACE) cannot be loaded: {reason}"


def test_a_plugin_that_breaks_a_rule_of_ours_is_told_with_its_package_and_the_rule(install):
    source = "from nas.space import parse_space\nSPACE = parse_space('name: toy', 'space.yaml')"
    install("other-team", "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE", "toy_plugin", source)
    message = told(SEARCH_SPACES, "toy_space")
    assert message.startswith(
        "The search space 'toy_space' of other-team (toy_plugin:SPACE) cannot be loaded: space.yaml:1: a space"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("import pytest; pytest.skip('not today', allow_module_level=True)", "Skipped: not today"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "E: (its message cannot be shown)"),
        ("raise ValueError('\\x1b[31m red \\u202e')", "ValueError: \\x1b[31m red \\u202e"),
    ],
)
def test_whatever_a_plugin_raises_takes_nothing_down(install, source, reason):
    install("other-team", "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE", "toy_plugin", source)
    assert told(SEARCH_SPACES, "toy_space").partition("cannot be loaded: ")[2] == reason


def test_a_plugin_that_hangs_at_import_is_given_up_and_named(install):
    source = "import sys\nwhile not hasattr(sys, 'toy_may_end'): pass\nSPACE = 'late'"
    install(
        "other-team",
        "[nas.search_spaces]\ntoy_space = hanging_plugin:SPACE\ntwin = hanging_plugin:SPACE",
        "hanging_plugin",
        source,
    )
    try:
        with pytest.raises(RegistryError) as caught:
            registry.load(SEARCH_SPACES, "toy_space", seconds=0.2)
        assert str(caught.value) == (
            "The search space 'toy_space' of other-team (hanging_plugin:SPACE) cannot be loaded: "
            "its import has not ended after 0.2 s; NAS_PLUGIN_SECONDS gives it longer."
        )
        assert told(SEARCH_SPACES, "twin").endswith("cannot be loaded: its import was given up after 0.2 s.")  # at once
        assert registry.load(SEARCH_SPACES, "residual_cnn").name == "residual_cnn"
    finally:
        sys.toy_may_end = True
        for thread in threading.enumerate():
            if thread.name == "nas plugin":
                thread.join(240)
        del sys.toy_may_end
    assert registry.load(SEARCH_SPACES, "toy_space") == "late"  # what ends after all counts


def test_the_patience_with_imports_is_read_from_the_environment(install, monkeypatch):
    install("other-team", "[nas.layers]\ntoy = slow_plugin:SPACE", "slow_plugin", "import time\ntime.sleep(5)\nSPACE = 1")
    monkeypatch.setenv("NAS_PLUGIN_SECONDS", "0.05")
    assert "has not ended after 0.05 s" in told(LAYERS, "toy")


@pytest.mark.parametrize("wrong", ["soon", "0", "-1", "nan", "inf"])
def test_a_patience_is_a_number_of_seconds(install, monkeypatch, wrong):
    install("other-team", "[nas.layers]\ntoy = toy_plugin:SPACE")
    monkeypatch.setenv("NAS_PLUGIN_SECONDS", wrong)
    assert told(LAYERS, "toy") == f"NAS_PLUGIN_SECONDS must be a number of seconds above 0, got {wrong!r}."


def test_a_plugin_that_loads_another_at_import_waits_for_no_lock_of_its_own(install):
    first = "from nas import registry\nBASE = 1\nSPACE = registry.load('nas.search_spaces', 'second_toy')"
    install("first-team", "[nas.search_spaces]\nfirst_toy = first_plugin:SPACE", "first_plugin", first)
    second = "import first_plugin\nSPACE = first_plugin.BASE + 1"
    install("second-team", "[nas.search_spaces]\nsecond_toy = second_plugin:SPACE", "second_plugin", second)
    assert registry.load(SEARCH_SPACES, "first_toy", seconds=240) == 2


def test_a_script_that_is_imported_itself_may_ask_for_a_plugin_that_needs_it(install, tmp_path):
    source = "from nas import registry\nBASE = 1\nSPACE = registry.load('nas.search_spaces', 'second_toy', seconds=240)"
    install("no-plugin", "", "importing_script", source)
    second = "import importing_script\nSPACE = importing_script.BASE + 1"
    install("second-team", "[nas.search_spaces]\nsecond_toy = second_plugin:SPACE", "second_plugin", second)
    assert importlib.import_module("importing_script").SPACE == 2


def test_what_a_plugin_prints_at_import_leaves_standard_output_alone(install, capsys):
    install("other-team", "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE", "toy_plugin", "print('hello')\nSPACE = 1")
    registry.load(SEARCH_SPACES, "toy_space")
    assert capsys.readouterr() == ("", "hello\n")


def test_our_own_packages_are_imported_in_the_thread_that_asks(monkeypatch):
    monkeypatch.setattr(registry, "Thread", None)
    assert registry.load(SEARCH_SPACES, "residual_cnn").name == "residual_cnn"


def test_a_package_whose_metadata_are_damaged_hides_no_other(install, tmp_path):
    install("other-team", "[nas.search_spaces]\ntoy_space = toy_plugin:SPACE", "toy_plugin", "SPACE = 'a space'")
    install("bad-team", "")
    (tmp_path / "bad-team-1.0.dist-info" / "entry_points.txt").write_bytes(b"[nas.search_spaces]\n\xff\xfe = x")
    registry.owners.cache_clear()
    assert registry.load(SEARCH_SPACES, "toy_space") == "a space"
    assert "residual_cnn" in registry.owners(SEARCH_SPACES)


def test_a_hostile_name_is_escaped(install):
    install("other-team", "[nas.search_spaces]\n\x1b[31mred = toy_plugin:SPACE", "toy_plugin", "SPACE = 1 / 0")
    message = told(SEARCH_SPACES, "\x1b[31mred")
    assert message.isprintable()
    assert message.startswith(
        "The search space '\\x1b[31mred' of other-team (toy_plugin:SPACE) cannot be loaded: ZeroDivisionError"
    )
    assert told(SEARCH_SPACES, "none").isprintable()


def test_listing_names_imports_no_torch():
    program = "import sys; from nas import registry; registry.owners(registry.LAYERS); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


HIDING = """
import json
from pathlib import Path
from nas.searching import resolve_benchmark
from nas.training import load_task
import benchmarks
print(json.dumps([benchmarks.__file__, len(load_task(resolve_benchmark("digits"), None).examples("test"))]))
"""


def test_another_distributions_package_of_the_same_name_hides_no_benchmark_of_ours(tmp_path):
    """As opacus 1.6 does, which ships one called benchmarks."""
    other = tmp_path / "benchmarks"
    other.mkdir()
    (other / "__init__.py").write_text("", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(registry.__file__).parents[1])])}
    done = subprocess.run(
        [sys.executable, "-c", HIDING], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [str(other / "__init__.py"), 359]
