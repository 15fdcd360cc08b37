"""Trials done again from their records: real trainings on the digits, a second each."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from toys import TOY

import benchmarks.digits.task
import nas
from benchmarks import digits
from nas.errors import LedgerError, ModelError, SearchError
from nas.evaluation import running
from nas.profiling import interleaving
from nas.records import Ledger, Record, Trial, judge
from nas.reports.reproduction import reproduction_text
from nas.searching import EpochEnded, Event, Reproduced, Study, derive, reproduce, weights_of
from nas.searching.reproducing import Progress, deviations
from nas.space import parse_space
from nas.training import Classification, Examples

BRIEF: dict[str, Any] = {"epochs": 2, "fraction": 0.1}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ledger of studies of several kinds."""
    ledger = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite"
    given: dict[str, Any] = {"on": "digits", "ledger": ledger, **BRIEF}
    with pytest.MonkeyPatch.context() as patch:
        brief = replace(digits.BENCHMARK, final_budget=replace(digits.BENCHMARK.final_budget, epochs=1))
        patch.setattr(digits, "BENCHMARK", brief)
        nas.search(TOY, trials=2, study="here", **given)
        nas.finals("here", top=1, seeds=2, ledger=ledger)
        nas.search(TOY, trials=2, study="workers", seed=1, workers=1, **given)
        nas.search(TOY, trials=1, study="replicates", replicates=2, **given)
        nas.search(TOY, trials=3, study="reused", **given)  # two of them as in "here"
        tight: dict[str, Any] = {"trials": 1, "proposals": 1, "limits": ["activation_bytes <= 10"], **given}
        nas.search(TOY, study="infeasible", seed=7, **tight)
        nas.search(TOY, study="outside", **tight)  # its trial was trained in "here", without that limit
        yield ledger


def study_of(url: str, name: str) -> list[Trial]:
    with Ledger(url) as ledger:
        return ledger.trials(ledger.study(name))


def one(url: str, named: str, **options: Any) -> Reproduced:
    (found,) = reproduce([named], ledger=url, **options)
    return found


def checked(found: Reproduced) -> list[str]:
    """What was found equal and had to be."""
    return [check.what for check in found.result.checks if check.equal and check.kind != "measured"]


def test_a_trial_of_this_process_is_bit_equal(url: str) -> None:
    found = one(url, "here:1")
    assert found.result.verdict == "bit-equal"
    assert checked(found) == [
        *("architecture", "network", "params", "macs", "flops", "size_bytes", "data", "outcome", "learning curve", "weights"),
        *("validation_accuracy", "validation_loss"),
    ]


def test_trials_of_workers_are_bit_equal_in_this_process_and_the_other_way_round(url: str) -> None:
    assert {found.result.verdict for found in reproduce(["workers"], sample=9, ledger=url)} == {"bit-equal"}
    assert one(url, "here:0", workers=1).result.verdict == "bit-equal"


def test_a_final_is_bit_equal_with_its_test_figures(url: str) -> None:
    found = one(url, "here:1", stage="final")
    assert found.result.verdict == "bit-equal"
    assert {"test_accuracy", "weights"} <= {*checked(found)}
    assert found.trial.stage == "final"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children are timed beside their parents no longer than it takes."""
    monkeypatch.setattr(interleaving, "SECONDS_A_NETWORK", 0.0)


@pytest.fixture(scope="module")
def made(url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same ledger, with children of a finalist of "here", and one of theirs."""
    folder = tmp_path_factory.mktemp("made")
    shutil.copytree(Path(url.removeprefix("sqlite:///")).parent, folder, dirs_exist_ok=True)
    ledger = f"sqlite:///{folder}/nas.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interleaving, "SECONDS_A_NETWORK", 0.0)
        brief = replace(digits.BENCHMARK, final_budget=replace(digits.BENCHMARK.final_budget, epochs=1))
        patch.setattr(digits, "BENCHMARK", brief)
        derive("here", "int8-weights", seeds=1, ledger=ledger)
        derive("here", "magnitude", options={"epochs": 1}, ledger=ledger)
        derive("here", "retrain", options={"changes": {"mixup": 0.2}}, seeds=1, ledger=ledger)
        retrained = next(child for child in children_of(ledger) if child.record.derived.method == "retrain")  # type: ignore[union-attr]
        derive(f"here:id:{retrained.id}", "int8-weights", ledger=ledger)
    return ledger


def children_of(url: str) -> list[Trial]:
    return [trial for trial in study_of(url, "here") if trial.stage == "derived"]


@pytest.mark.usefixtures("quick")
def test_what_was_made_of_finalists_is_made_again_to_the_last_bit(made: str) -> None:
    found = reproduce(["here"], sample=9, stage="derived", ledger=made)
    assert [one.trial.record.derived.words for one in found if one.trial.record and one.trial.record.derived] == [
        "int8-weights",
        *["magnitude epochs 1"] * 2,
        "retrain mixup 0.2",
        "retrain mixup 0.2 → int8-weights",
    ]
    assert {one.result.verdict for one in found} == {"bit-equal"}
    assert all({"weights", "test_accuracy"} <= {*checked(one)} for one in found)
    assert ["learning curve" in checked(one) for one in found] == [False, True, True, True, False]
    head = reproduction_text(found[0].trial, found[0].result).renderables[0]  # type: ignore[union-attr]
    assert str(head) == f"derived trial 0 of here, architecture {found[0].trial.architecture.id}, int8-weights"


@pytest.mark.usefixtures("quick")
def test_what_was_asked_of_a_trained_network_later_is_not_asked_again(made: str, tmp_path: Path) -> None:
    shutil.copytree(Path(made.removeprefix("sqlite:///")).parent, tmp_path, dirs_exist_ok=True)
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    late = {"membership_auroc": 0.5, "test_ece": 0.1, "validation_accuracy:fgsm-linf-8_255": 0.2}
    with Ledger(ledger) as book:
        book.add_figures(children_of(ledger)[0], late)
    found = one(ledger, "here:0", stage="derived")
    assert found.result.verdict == "bit-equal"
    assert not late.keys() & {check.what for check in found.result.checks}


def test_figures_of_children_deviate_as_those_of_their_likes_do(made: str) -> None:
    trials = study_of(made, "here")
    alone, *pruned = (trial for trial in trials if trial.stage == "derived")
    values = [trial.record.figures["test_accuracy"] for trial in pruned[:2] if trial.record]
    assert deviations(trials, pruned[0])["test_accuracy"].value == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert deviations(trials, alone) == {}, "it was made of one seed"


@pytest.mark.usefixtures("quick")
def test_weights_that_are_gone_come_back_by_training_again(made: str, tmp_path: Path) -> None:
    shutil.copytree(Path(made.removeprefix("sqlite:///")).parent, tmp_path, dirs_exist_ok=True)
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    trials = sorted(study_of(ledger, "here"), key=lambda trial: trial.id)  # finalists come before their children
    kept = [(trial, weights_of(ledger, trial)) for trial in trials if trial.stage in {"final", "derived"}]
    before = {file: file.read_bytes() for _, file in kept if file is not None}
    assert len(before) == len(kept) == 7
    for file in before:
        file.unlink()
    assert one(ledger, "here:0", stage="final").weights is None, "it was not asked for"
    for trial, file in kept:
        again = one(ledger, f"here:{trial.number}", stage=trial.stage, keep=True)
        assert again.weights == file
        assert again.to_data()["weights"].endswith(f"nas.sqlite.weights/here/{trial.evaluation}.safetensors")
    assert {file: file.read_bytes() for file in before} == before
    assert {*next(iter(before)).parent.iterdir()} == {*before}, "nothing else is left there"


def test_other_weights_than_the_records_are_not_kept(url: str, tmp_path: Path) -> None:
    shutil.copytree(Path(url.removeprefix("sqlite:///")).parent, tmp_path, dirs_exist_ok=True)
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    trial = next(trial for trial in study_of(ledger, "here") if trial.stage == "final")
    file = weights_of(ledger, trial)
    assert trial.record is not None
    assert file is not None
    file.unlink()
    with Ledger(ledger) as book:
        begun = book.begin_trial(book.study("here"), "final", 9, trial.architecture, "0" * 16)
        book.end_trial(begun, replace(trial.record, weights_sha256="f" * 64))
    assert one(ledger, "here:9", stage="final", keep=True).weights is None
    assert [path for path in file.parent.iterdir() if path.name.startswith("0" * 16)] == []
    with pytest.raises(
        SearchError, match=r"The weights of the search trial 0 of study here are not kept beside the ledger: those"
    ):
        reproduce(["here:0"], ledger=ledger, keep=True)


@pytest.mark.usefixtures("quick")
def test_a_child_is_not_made_again_of_other_weights_or_of_none(made: str, tmp_path: Path) -> None:
    shutil.copytree(Path(made.removeprefix("sqlite:///")).parent, tmp_path, dirs_exist_ok=True)
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    rounded, *_, retrained, _ = children_of(ledger)
    files = {trial.evaluation: weights_of(ledger, trial) for trial in study_of(ledger, "here") if trial.stage == "final"}
    assert rounded.record is not None
    assert rounded.record.derived is not None
    file = files.pop(rounded.record.derived.parent)
    (other,) = files.values()
    assert file is not None
    assert other is not None
    shutil.copy(other, file)
    with pytest.raises(SearchError, match=f"and {file.name} holds others than its record tells of; it cannot be done again"):
        reproduce(["here:0"], stage="derived", ledger=ledger)
    file.write_bytes(b"torn")
    with pytest.raises(ModelError, match=f"{file.name} is no whole safetensors file"):
        reproduce(["here:0"], stage="derived", ledger=ledger)
    file.unlink()
    with pytest.raises(SearchError, match=rf"was made of the weights of another\. .* bring here/{file.name} from where"):
        reproduce(["here:0"], stage="derived", ledger=ledger)
    other.unlink()
    drawn = reproduce(["here"], sample=9, stage="derived", ledger=ledger)
    assert [found.trial.id for found in drawn] == [retrained.id, retrained.id + 1], (
        "which needs no other's weights; and its child"
    )
    with Ledger(ledger) as book, Ledger(f"sqlite:///{tmp_path}/other.sqlite") as second:
        entry = second.begin_study("s", book.study("here").definition)
        second.end_trial(second.begin_trial(entry, "derived", 0, rounded.architecture, rounded.evaluation), rounded.record)
    with pytest.raises(SearchError, match="was made of a trial that the study no longer has; it cannot be done again"):
        reproduce(["s:0"], stage="derived", ledger=f"sqlite:///{tmp_path}/other.sqlite")


def test_replicates_are_bit_equal_each(url: str) -> None:
    found = one(url, "replicates:0")
    assert found.result.verdict == "bit-equal"
    assert {"weights of seed 0", "weights of seed 1", "learning curve of seed 1"} <= {*checked(found)}


def test_a_trial_that_took_over_the_record_of_another_study_is_bit_equal(url: str) -> None:
    reused = next(trial for trial in study_of(url, "reused") if trial.reused_from is not None)
    assert one(url, f"reused:{reused.number}").result.verdict == "bit-equal"


def test_what_was_outside_a_limit_is_counted_again(url: str) -> None:
    trial = next(trial for trial in study_of(url, "infeasible") if trial.state == "infeasible")
    found = one(url, f"infeasible:{trial.number}")
    assert (found.record.outcome, found.record.broken_limits) == (
        "infeasible",
        trial.record.broken_limits if trial.record else (),
    )
    assert found.result.verdict == "bit-equal"


def test_what_was_measured_outside_a_limit_is_measured_again_and_not_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*args: Any, **named: Any) -> Any:
        return replace(measure_latency(*args, **named), median_ms=1e6)

    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    tight: dict[str, Any] = {"trials": 1, "proposals": 1, "limits": ["latency_ms <= 1e5"], "study": "s", **BRIEF}
    measure_latency = running.measure_latency
    with monkeypatch.context() as patch:
        patch.setattr(running, "measure_latency", slow)
        nas.search(TOY, on="digits", ledger=ledger, **tight)
    found = one(ledger, "s:0")
    assert found.trial.state == "infeasible"
    assert (found.record.curve, found.result.verdict) == ((), "bit-equal")
    assert found.record.notes == ("As measured now it lies within the limits; it was not trained.",)
    (outcome,) = [check for check in found.result.checks if check.what == "outcome"]
    assert (outcome.then, outcome.now, outcome.basis) == (
        "infeasible",
        "within limits",
        "then latency_ms <= 100000, got 1,000,000",
    )


def test_what_was_trained_and_lies_outside_a_limit_of_the_study_that_took_it_over_is_trained_again(url: str) -> None:
    (trial,) = study_of(url, "outside")
    assert (trial.state, trial.reused_from is None) == ("infeasible", False)
    found = one(url, "outside:0")
    assert found.result.verdict == "bit-equal"
    assert "weights" in checked(found)


def test_an_equal_network_under_another_name_is_bit_equal_but_for_the_names_of_its_weights(tmp_path: Path) -> None:
    text = "name: twins\nversion: 1\naccepts: image\nlayers:\n  - conv: {features: 4, stride: 2}\n"
    text += "".join(f"  - one_of: {name}\n    options: {{identity: {{}}, conv: {{features: 4}}}}\n" for name in ("one", "two"))
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(parse_space(f"{text}  - head\n"), on="digits", strategy="bruteforce", trials=4, study="s", ledger=ledger, **BRIEF)
    (twin,) = [trial for trial in study_of(ledger, "s") if trial.reused_from is not None]
    found = one(ledger, f"s:{twin.number}")
    assert found.result.verdict == "bit-equal"
    assert {"network", "learning curve", "validation_loss"} <= {*checked(found)}
    assert "weights" not in checked(found)
    assert "an equal network" in found.result.doubts[0]
    assert len(reproduce(["s"], sample=9, ledger=ledger)) == 3


def test_a_trial_that_was_interrupted_and_went_on_within_its_training_is_bit_equal(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    given: dict[str, Any] = {"on": "digits", "trials": 1, "study": "s", "ledger": ledger, "checkpoint": 1e-9, **BRIEF}

    def interrupt(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nas.search(TOY, on_event=interrupt, **given)
    nas.search(TOY, **given)
    found = one(ledger, "s:0")
    assert found.trial.record is not None
    assert any(note.startswith("Went on from a checkpoint after step") for note in found.trial.record.notes)
    assert found.result.verdict == "bit-equal"
    assert "weights" in checked(found)


def test_a_pruned_trial_is_stopped_where_it_was(tmp_path: Path) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", trials=8, study="s", pruner="median", ledger=ledger, epochs=3, fraction=0.1)
    pruned = [trial for trial in study_of(ledger, "s") if trial.state == "pruned"]
    assert pruned, "nothing was pruned"
    found = one(ledger, f"s:{pruned[0].number}")
    assert found.record.outcome == "pruned"
    assert found.result.verdict == "bit-equal"
    assert "learning curve" in checked(found)


def test_a_failure_is_had_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    nan = lambda _, outputs, targets, smoothing: (outputs * float("nan")).sum()  # noqa: ARG005, E731
    with monkeypatch.context() as patch:
        patch.setattr(Classification, "loss", nan)
        nas.search(TOY, on="digits", trials=1, study="s", ledger=ledger, **BRIEF)
        found = one(ledger, "s:0")
        assert found.record.error is not None
        assert found.record.error.kind == "diverged"
        assert found.result.verdict == "bit-equal"
    assert one(ledger, "s:0").result.verdict == "different", "it does not fail now"


def test_other_data_are_told_from_the_same(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load = benchmarks.digits.task.load

    def mended(data: Path | None) -> Classification:
        task = load(data)

        def examples(split: Any) -> Examples:
            found = task.examples(split)
            inputs = found.inputs.clone()
            inputs[0, 0, 0, 0] += 1
            return Examples(inputs, found.targets)

        return Classification(examples)

    monkeypatch.setattr(benchmarks.digits.task, "load", mended)
    found = one(url, "here:0")
    assert found.result.verdict == "different"
    assert found.result.sentence.startswith("Different: data ")
    assert [difference.what for difference in found.result.differences] == ["data"]


def test_other_threads_are_named(url: str) -> None:
    found = one(url, "here:0", threads=2)
    assert [str(difference) for difference in found.result.differences] == ["threads 1, now 2"]
    assert found.record.threads == 2
    assert found.result.verdict in {"bit-equal", "within tolerance"}


def test_a_recipe_is_the_one_that_the_study_was_begun_with(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    later = replace(digits.BENCHMARK, recipe=replace(digits.BENCHMARK.recipe, learning_rate=1e-5))
    monkeypatch.setattr(digits, "BENCHMARK", later)
    assert one(url, "here:0").result.verdict == "bit-equal"


def test_another_version_of_the_benchmark_is_refused_without_training(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "BENCHMARK", replace(digits.BENCHMARK, version=2))
    with pytest.raises(SearchError, match="is of digits version 1, installed is version 2"):
        reproduce(["here:0"], ledger=url)


@pytest.mark.parametrize(
    ("named", "options", "words"),
    [
        ("here", {}, "A trial is STUDY:NUMBER, or STUDY:ID with an architecture's id, got 'here'"),
        ("here:99", {}, "No search trial of here is '99'"),
        ("here:0", {"sample": 1}, "A sample is drawn from a study, got 'here:0'"),
        ("here", {"sample": 0}, "A sample is of at least 1 trial, got 0"),
        ("here", {"sample": 2, "stage": "confirm"}, "No confirm trial of here was trained and can be done again"),
        ("here:0", {"tolerance": -1}, "A tolerance is a share of at least 0, got -1"),
        ("here:0", {"device": "cuda:77"}, "The device 'cuda:77' is not there"),
        ("here:0", {"workers": -1}, "workers: Input should be greater than or equal to 0, got -1"),
        ("here:0", {"threads": 10_000}, "threads: Input should be less than or equal to 1024, got 10000"),
    ],
)
def test_what_cannot_be_done_again_is_refused(url: str, named: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises((SearchError, LedgerError), match=words.replace("(", r"\(")):
        reproduce([named], ledger=url, **options)


@pytest.mark.parametrize("kind", ["timed_out", "poisoned"])
def test_a_failure_by_how_the_study_was_run_cannot_be_had_again(url: str, kind: str, tmp_path: Path) -> None:
    from nas.records import Failure

    (first, *_) = study_of(url, "here")
    assert first.record is not None
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    with Ledger(url) as book, Ledger(ledger) as other:
        entry = other.begin_study("s", book.study("here").definition)
        begun = other.begin_trial(entry, "search", 0, first.architecture, "0" * 16)
        failed = replace(first.record, outcome="failed", error=Failure(kind=kind, message="x"))
        other.end_trial(begun, failed)
        other.begin_trial(entry, "search", 1, first.architecture, "1" * 16)
    with pytest.raises(SearchError, match="of which its record does not tell enough; it cannot be done again"):
        reproduce(["s:0"], ledger=ledger)
    with pytest.raises(SearchError, match="has not ended"):
        reproduce(["s:1"], ledger=ledger)


def test_a_sample_is_drawn_by_its_seed_and_holds_each_training_once(url: str) -> None:
    drawn = [[found.trial.number for found in reproduce(["here"], sample=2, seed=seed, ledger=url)] for seed in (0, 0)]
    assert drawn[0] == drawn[1]
    everything = reproduce(["here", "reused"], sample=99, ledger=url)
    assert [found.trial.stage for found in everything].count("search") == 3, "two of the five are the same trainings"
    assert {found.result.verdict for found in everything} == {"bit-equal"}


def test_whoever_waits_is_told_how_far_it_is(url: str) -> None:
    told: list[Progress] = []
    reproduce(["here:0", "here:1"], ledger=url, on_progress=told.append)
    assert [(progress.done, progress.epoch) for progress in told] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (1, 0),
        (1, 1),
        (1, 2),
        (2, 0),
    ]
    assert [progress.reproduced is not None for progress in told].count(True) == 2
    assert told[0].seconds_left is not None
    assert told[-1].seconds_left == 0


def test_a_deviation_over_seeds_is_pooled_over_architectures(url: str) -> None:
    trials = study_of(url, "here")
    finals = [trial for trial in trials if trial.stage == "final"]
    found = deviations(trials, finals[0])
    values = [trial.record.figures["test_accuracy"] for trial in finals if trial.record]
    assert found["test_accuracy"].value == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert found["test_accuracy"].freedom == 1
    (searched, *_) = [trial for trial in trials if trial.stage == "search"]
    assert deviations(trials, searched) == {}, "each was trained once"


def test_a_deviation_of_replicates_is_that_of_their_mean(url: str) -> None:
    (trial,) = study_of(url, "replicates")
    assert trial.record is not None
    first, second = (one.figures["validation_loss"] for one in trial.record.replicates)
    assert deviations([trial], trial)["validation_loss"].value == pytest.approx(abs(first - second) / 2**0.5 / 2**0.5)


def test_a_forged_record_is_found(url: str) -> None:
    found = one(url, "here:0")
    assert found.trial.record is not None
    forged: Record = replace(found.trial.record, figures={**found.trial.record.figures, "validation_accuracy": 1.0})
    assert judge(forged, found.record).verdict == "different"


def test_threads_of_this_process_stay_as_they_are(url: str) -> None:
    before = torch.get_num_threads()
    one(url, "here:0")
    assert torch.get_num_threads() == before


def test_a_study_on_a_table_is_refused(tmp_path: Path) -> None:
    table = Path(__file__).parents[2] / "results" / "tables"
    file = next(iter(sorted(table.glob("*.csv*"))))
    ledger = f"sqlite:///{tmp_path}/nas.sqlite"
    study: Study = nas.search(on=str(file), trials=2, ledger=ledger, study="t")
    assert study.best
    with pytest.raises(SearchError, match="is on a table, in which nothing was trained"):
        reproduce(["t:0"], ledger=ledger)
