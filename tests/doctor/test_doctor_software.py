from collections.abc import Callable
from pathlib import Path

import pytest

from nas.doctor import Check, software
from nas.doctor.software import check_software

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs what is metadata alone, before all that is really there."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, version: str, *lines: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines])
        (folder / "METADATA").write_text(text + "\n", encoding="utf-8")

    return install


def found(name: str) -> list[Check]:
    return [check for check in check_software() if check.name == name]


def test_this_installation_is_as_it_is_asked_for() -> None:
    checks = list(check_software())
    assert [check.name for check in checks[:3]] == ["python", "packages", "torch"]
    assert {check.verdict for check in checks[:3]} == {"ok"}


def test_each_package_that_does_not_fit_is_a_problem_with_the_line_that_mends_it(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("an-old", "1.2")
    install("a-project", "1", "Requires-Dist: an-old>=2", "Requires-Dist: not-there", "Requires-Dist: click>=8")
    monkeypatch.setattr(software, "PROJECT", "a-project")
    assert [(check.verdict, check.found, check.change) for check in found("packages")] == [
        ("problem", "an-old 1.2 is installed, >=2 is asked for", "pip install 'an-old>=2'"),
        ("problem", "not-there is missing", "pip install 'not-there'"),
    ]


def test_a_python_that_is_too_old_is_a_problem(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("a-project", "1", "Requires-Python: >=4")
    monkeypatch.setattr(software, "PROJECT", "a-project")
    (check,) = found("python")
    assert check.verdict == "problem"
    assert check.found.endswith(", and >=4 is asked for")


def test_an_extra_is_told_with_what_it_is_for_and_advised_on_where_half_of_it_is_there(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    extras = ["Provides-Extra: energy", "Provides-Extra: compare", "Provides-Extra: hub", "Provides-Extra: dev"]
    needs = [
        'not-there; extra == "energy"',
        'click; extra == "compare"',
        'not-there; extra == "compare"',
        'click; extra == "hub"',
    ]
    install("a-project", "1", *extras, *(f"Requires-Dist: {need}" for need in [*needs, 'not-there; extra == "dev"']))
    monkeypatch.setattr(software, "PROJECT", "a-project")
    (energy,) = found("extra energy")
    assert (energy.verdict, energy.change) == ("ok", "")
    assert energy.found == "not installed; for the energy of a forward pass: pip install 'a-project[energy]'"
    (compare,) = found("extra compare")
    assert (compare.verdict, compare.found) == ("advice", "not-there is missing; for significance tests of `nas compare`")
    assert [check.found for check in found("extras")] == ["hub installed"]
    assert not found("extra dev")


@pytest.mark.parametrize(("torch", "verdict"), [("2.14.1+cpu", "ok"), ("2.13.0", "problem")])
def test_a_torchvision_for_another_torch_is_a_problem(install: Install, torch: str, verdict: str) -> None:
    install("torch", torch)
    install("torchvision", "0.29.1", "Requires-Dist: torch==2.14.1")
    checks = found("torch")
    assert checks[0].verdict == verdict
    if verdict == "problem":
        assert checks[0].found == "torchvision 0.29.1 is built for torch==2.14.1, found is 2.13.0"
        assert checks[0].change.startswith("pip install 'torch==2.14.1'")


def test_a_source_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "PROJECT", "not-there")
    (check,) = check_software()
    assert (check.verdict, check.change) == ("problem", "pip install --editable .")
