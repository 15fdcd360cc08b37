"""The package in examples/plugin_space, installed by pip as any other team's: found by name, checked, searched."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "examples" / "plugin_space"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that pip has installed the package into, from its source alone."""
    target = tmp_path_factory.mktemp("site")
    options = ["--no-index", "--no-build-isolation", "--no-deps", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(PACKAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def run(site: Path, tmp_path: Path):
    """Runs a module of Python where the package is installed, outside the repository."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(site), "NAS_LEDGER": f"sqlite:///{tmp_path}/nas.sqlite"}
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_the_package_holds_its_space_with_its_readme(site: Path) -> None:
    assert {path.name for path in (site / "gated_cnn").iterdir()} >= {"__init__.py", "layers.py", "space.yaml", "README.md"}


def test_its_space_is_found_by_name_with_the_size_its_readme_says(run) -> None:
    rows = {row["name"]: row for row in json.loads(run("nas", "spaces", "--json").stdout)}
    assert rows["gated_cnn"]["architectures"] == 3_276 == 2 * (9 + 9**2 + 9**3) * 2
    assert "3,276 architectures" in (PACKAGE / "gated_cnn" / "README.md").read_text(encoding="utf-8")
    assert "residual_cnn" in rows
    assert "gated_conv  features $width" in run("nas", "spaces", "show", "gated_cnn").stdout


def test_its_layer_is_told_with_its_package(run) -> None:
    layer = json.loads(run("nas", "layers", "gated_conv", "--json").stdout)
    assert layer["package"] == "gated-cnn-space (gated_cnn.layers:GatedConv)"
    assert [option["option"] for option in layer["options"]] == ["features", "kernel", "stride"]


@pytest.mark.slow
def test_it_keeps_the_contracts_by_command_and_by_its_own_tests(run) -> None:
    done = run("nas", "spaces", "check", "gated_cnn", "--on", "digits", "--samples", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("pytest", "-q", "-p", "no:benchmark", "-p", "no:cacheprovider", "--rootdir", str(PACKAGE), str(PACKAGE / "tests"))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.slow
def test_it_is_searched(run) -> None:
    done = run("nas", "search", "gated_cnn", "--on", "digits", "--trials", "2", "--epochs", "1", "--seed", "0")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 architectures have a result." in done.stdout


def test_without_the_package_its_space_is_unknown() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nas", "spaces", "show", "gated_cnn"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("nas: No search space is called 'gated_cnn'.")
