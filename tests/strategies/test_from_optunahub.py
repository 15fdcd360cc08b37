"""Samplers of OptunaHub: at a commit, by word of the user, and from the cache without the network."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from toys import TOY, toy_evaluate

from nas.benchmark import Budget, Objective
from nas.errors import StrategyError
from nas.records import Trial
from nas.strategies import Guide, from_optunahub, make_sampler
from nas.strategies.from_optunahub import TRUST

pytestmark = pytest.mark.skipif(importlib.util.find_spec("optunahub") is None, reason="the package optunahub is not installed")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ACCURACY = Objective("validation_accuracy", "maximize")

TINY = """
from pathlib import Path
from optuna.samplers import TPESampler

Path(__file__).with_name("ran").touch()

class TinySampler(TPESampler):
    def __init__(self, seed=None):
        super().__init__(seed=seed)
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the package tiny in optunahub's cache; no other can be fetched."""
    folder = tmp_path / "github.com" / "optuna" / "optunahub-registry" / COMMIT / "package" / "samplers" / "tiny"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(TINY)
    monkeypatch.setenv("OPTUNAHUB_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "none")  # git refuses to go to the network
    monkeypatch.setenv(TRUST, f"other@{COMMIT} tiny@{COMMIT} samplers/tiny@{COMMIT}")
    from_optunahub._sampler_of.cache_clear()
    return folder


@pytest.mark.parametrize("name", ["tiny", "samplers/tiny"])
def test_a_trusted_package_proposes_and_a_study_goes_on(package: Path, name: str) -> None:
    def search(until: int, done: Sequence[Trial] = ()) -> list[Trial]:
        guide = Guide(TOY, (ACCURACY,), strategy=f"optunahub:{name}@{COMMIT}", seed=3)
        trials = list(done)
        for trial in trials:
            guide.restore(trial)
        for number in range(len(trials), until):
            proposal = guide.ask(number)
            record = toy_evaluate(proposal.architecture, budget=Budget(epochs=1), seed=0)
            trials.append(
                Trial(
                    id=number + 1,
                    study="a",
                    stage="search",
                    number=number,
                    state="complete",
                    architecture=proposal.architecture,
                    evaluation=proposal.architecture.id,
                    reused_from=None,
                    begun_at="2026-01-01",
                    ended_at="2026-01-02",
                    proposal=guide.tell(proposal, record),
                    record=record,
                )
            )
        return trials

    whole = search(20)
    assert [trial.architecture for trial in search(20, whole[:12])] == [trial.architecture for trial in whole]
    assert (package / "ran").exists()


def test_code_of_others_does_not_run_unasked(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"optunahub:tiny@{COMMIT}"
    message = (
        rf"^The strategy '{name}' runs code of others; read it in optuna/optunahub-registry, "
        rf"and set NAS_TRUST_OPTUNAHUB=tiny@{COMMIT} to let it run\.$"
    )
    for trusted in (f"tiny@{COMMIT[:-1]}0", "tiny", "yes", ""):
        monkeypatch.setenv(TRUST, trusted)
        with pytest.raises(StrategyError, match=message):
            make_sampler(name, seed=0)
    assert not (package / "ran").exists()


@pytest.mark.parametrize("name", ["tiny", "tiny@main", f"tiny@{COMMIT[:12]}", f"../../tiny@{COMMIT}", f"@{COMMIT}", ""])
def test_a_name_without_a_whole_commit_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(TRUST, name)
    with pytest.raises(
        StrategyError, match=r"^A sampler of OptunaHub is named as optunahub:PACKAGE@COMMIT, with all 40 digits of "
    ):
        make_sampler(f"optunahub:{name}", seed=0)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = 1", r"^A package of OptunaHub must offer one sampler, 'tiny' has none; load it in Python and pass the sampler\.$"),
        (TINY + "class Other(TinySampler): ...\n", r"^A package .* must offer one sampler, 'tiny' has Other, TinySampler; "),
        (
            "import no_such_package",
            r"^The package 'samplers/tiny' of OptunaHub cannot be loaded: No module named 'no_such_package'$",
        ),
        (
            TINY.replace("seed=None", "space, seed=None"),
            rf"^The strategy 'optunahub:tiny@{COMMIT}' needs space; make it in Python and pass the sampler\.$",
        ),
    ],
)
def test_a_package_that_makes_no_sampler_is_refused(package: Path, code: str, message: str) -> None:
    (package / "__init__.py").write_text(code)
    with pytest.raises(StrategyError, match=message):
        make_sampler(f"optunahub:tiny@{COMMIT}", seed=0)


def test_of_several_samplers_the_one_that_is_offered_is_taken(package: Path) -> None:
    (package / "__init__.py").write_text(TINY + "class Other(TinySampler): ...\n__all__ = ['Other']\n")
    assert type(make_sampler(f"optunahub:tiny@{COMMIT}", seed=0)).__name__ == "Other"


def test_what_cannot_be_fetched_is_said_in_one_line(package: Path) -> None:
    with pytest.raises(StrategyError, match=rf"^The package 'samplers/other' of OptunaHub at {COMMIT} cannot be fetched: .+$"):
        make_sampler(f"optunahub:other@{COMMIT}", seed=0)


def test_without_optunahub_the_name_says_what_it_needs(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optunahub", None)
    needs = rf"^The strategy 'optunahub:tiny@{COMMIT}' needs the package 'optunahub', which is not installed; "
    with pytest.raises(StrategyError, match=needs + r"pip install optunahub\.$"):
        make_sampler(f"optunahub:tiny@{COMMIT}", seed=0)
