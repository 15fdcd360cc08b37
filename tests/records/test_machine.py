import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.records import Machine, this_machine

MACHINE = Machine(system="Linux x86_64", processor="A Processor", cores=2, memory_gib=16)


def test_alike_machines_have_one_id() -> None:
    assert MACHINE.id == replace(MACHINE).id
    assert this_machine().id == this_machine().id
    assert len(MACHINE.id) == len(bytes.fromhex(MACHINE.id)) * 2 == 8


@pytest.mark.parametrize(
    "change",
    [
        {"system": "Linux aarch64"},
        {"processor": "Another Processor"},
        {"cores": 4},
        {"memory_gib": 32},
        {"memory_gib": None},
        {"accelerator": "A GPU"},
    ],
    ids=str,
)
def test_machines_that_differ_have_other_ids(change: dict[str, Any]) -> None:
    assert replace(MACHINE, **change).id != MACHINE.id


def test_this_machine_says_what_it_is() -> None:
    machine = this_machine("A GPU")
    assert machine == replace(this_machine(), accelerator="A GPU")
    assert machine.system
    assert machine.processor
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.memory_gib is None or machine.memory_gib >= 0


@pytest.mark.parametrize(
    ("machine", "text"),
    [
        (MACHINE, "A Processor, 2 cores, 16 GiB, Linux x86_64"),
        (replace(MACHINE, memory_gib=None), "A Processor, 2 cores, Linux x86_64"),
        (replace(MACHINE, accelerator="A GPU"), "A Processor, 2 cores, 16 GiB, A GPU, Linux x86_64"),
    ],
)
def test_a_machine_reads_as_a_line(machine: Machine, text: str) -> None:
    assert str(machine) == text


def ask(code: str, folder: Path | None = None) -> Any:
    """What a fresh Python finds in `found` after `code`, with the package of `folder` where one is given."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    if folder is not None:
        environment["PYTHONPATH"] = str(folder)
    code = f"import json, sys; {code}; print(json.dumps(found))"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_versions_name_python_and_torch_and_import_nothing_for_it() -> None:
    found = ask("from nas.records import versions; found = [versions(), [name for name in versions() if name in sys.modules]]")
    known, imported = found
    assert known["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"torch", "torchmetrics", "nas-harness"} <= known.keys()
    assert not {"torch", "torchvision", "timm", "torchmetrics", "fvcore", "optuna"} & set(imported)


COMMIT = "from nas.records import machine; found = [machine.__file__, machine.commit()]"


def commit_in(folder: Path) -> str | None:
    """The commit that the package in `folder` finds for itself."""
    file, commit = ask(COMMIT, folder)
    assert Path(file).is_relative_to(folder), "another copy of the package was asked"
    return commit


def git(folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def copy_package(folder: Path) -> Path:
    """A copy of the package, as a wheel would install it."""
    shutil.copytree(Path(nas.__file__).parent, folder / "nas", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a copy of the package, and nothing committed."""
    copy_package(tmp_path / "origin")
    git(tmp_path / "origin", "init", "--quiet")
    git(tmp_path / "origin", "add", "nas")
    return tmp_path / "origin"


def test_outside_of_a_checkout_there_is_no_commit(tmp_path: Path) -> None:
    assert commit_in(copy_package(tmp_path)) is None


def test_an_installation_inside_somebody_elses_checkout_has_no_commit(tmp_path: Path) -> None:
    copy_package(tmp_path)
    (tmp_path / "theirs.txt").touch()
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "theirs.txt")
    git(tmp_path, "commit", "--quiet", "--message", "Theirs")
    assert commit_in(tmp_path) is None


def test_a_repository_without_a_commit_has_no_commit(repository: Path) -> None:
    assert commit_in(repository) is None


def test_a_clone_names_its_head_and_whether_it_was_changed(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "--quiet", "--message", "Ours")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    head = git(clone, "rev-parse", "--short=12", "HEAD")
    (clone / "notes.txt").touch()  # not tracked: no change of the harness
    assert commit_in(clone) == head
    with (clone / "nas" / "errors.py").open("a") as file:
        file.write("# changed\n")
    assert commit_in(clone) == f"{head}-dirty"
