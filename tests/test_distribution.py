"""The wheel works outside the repository, and holds what it should and nothing else."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = out.glob("nas_harness-*.whl")
    return path


def test_the_wheel_holds_the_three_packages_and_their_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"nas", "search_spaces", "benchmarks"}
    assert {"search_spaces/residual_cnn/space.yaml", "nas/py.typed"} <= set(names)
    assert any(name.startswith("nas/reports/templates/") for name in names)
    assert not any("speed" in name or "tests" in name or "results" in name for name in names)


def test_the_wheel_works_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", "import nas, nas.cli; print(nas.__file__); nas.cli.main(['spaces', '--json'])"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    where, _, spaces = done.stdout.partition("\n")
    assert Path(where).is_relative_to(tmp_path)
    assert "residual_cnn" in {row["name"] for row in json.loads(spaces)}
