"""Finalists are asked by the weights that are kept: in finals, after the fact, once, and with what was made of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from toys import TOY

from nas.benchmark import Benchmark, Budget
from nas.cli import main
from nas.errors import LedgerError, SearchError
from nas.evaluation.robustness import Asking
from nas.records import Ledger, Trial
from nas.searching import SearchConfig, ask, derive, finals, retraining, search, weights_of
from nas.searching.asking import usual_measures

QUICK: dict[str, Any] = {"on": "digits", "epochs": 1, "fraction": 0.05, "device": "cpu", "strategy": "random"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A ledger with a study `toy` of one finalist, trained twice for as long as a search would."""
    url = f"sqlite:///{tmp_path_factory.mktemp('asked')}/nas.sqlite"
    search(TOY, trials=1, study="toy", ledger=url, **QUICK)
    whole = retraining.benchmark_of

    def shorter(*given: Any) -> Benchmark:
        return replace(whole(*given), final_budget=Budget(epochs=1, fraction=0.1))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retraining, "benchmark_of", shorter)
        finals("toy", top=1, seeds=2, ledger=url, device="cpu", measures=["noise-5"])
    return url


def trainings(url: str) -> list[Trial]:
    with Ledger(url, create=False) as book:
        return book.trials(book.study("toy"), "final")


def test_finals_ask_on_both_splits_once_they_are_trained(finished: str) -> None:
    assert len(trainings(finished)) == 2
    for trial in trainings(finished):
        assert trial.record is not None
        assert {"validation_accuracy:noise-5", "test_accuracy:noise-5"} <= {*trial.record.figures}


def test_what_is_asked_after_the_fact_joins_the_records_and_is_not_asked_again(
    finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["pgd-linf-0", "pgd-linf-8/255", "ece"]
    before = trainings(finished)
    found = ask("toy", names, ledger=finished, device="cpu")
    assert found.measures == ("pgd-linf-0", "pgd-linf-8_255", "ece")
    assert found.unit == "brightness from 0 to 1, clipped to 0 and 1"
    for trial, one in zip(trainings(finished), found.answers, strict=True):
        assert trial.record is not None
        assert one.figures.items() <= trial.record.figures.items()
        assert one.figures["test_accuracy:pgd-linf-0"] == one.figures["test_accuracy"] == trial.record.figures["test_accuracy"]
        assert one.figures["test_accuracy:pgd-linf-8_255"] <= one.figures["test_accuracy"]
        assert one.calibration is not None
        assert one.calibration.error == one.figures["test_ece"]
        assert trial.record.notes[-1].startswith(
            "How it holds was measured after it was trained, from the weights that were kept"
        )
        assert trial.record.notes.count(trial.record.notes[-1]) == 1
    kept = [trial.record.curve for trial in before if trial.record]
    assert [trial.record.curve for trial in trainings(finished) if trial.record] == kept
    monkeypatch.setattr(Asking, "_held", lambda *_: pytest.fail("it is known"))
    again = ask("toy", names, ledger=finished, device="cpu")
    assert [one.figures for one in again.answers] == [one.figures for one in found.answers]


def test_the_leaderboard_has_the_columns_and_can_rank_and_limit_by_them(finished: str) -> None:
    figure = "validation_accuracy:pgd-linf-8_255"
    ask("toy", ["pgd-linf-8/255"], split="validation", ledger=finished, device="cpu")
    run = ["rank", "toy", "--ledger", finished, "--json", "--objective", figure]
    rows = json.loads(CliRunner().invoke(main, [*run, "--limit", f"{figure} >= 2"]).output)[0]["rows"]
    assert rows[0]["figures"][figure]["count"] == 2
    assert rows[0]["broken_limits"]


def test_without_keep_the_ledger_stays_as_it_is(finished: str) -> None:
    before = trainings(finished)
    found = ask("toy", ["blur-2"], split="validation", ledger=finished, device="cpu", keep=False)
    assert "validation_accuracy:blur-2" in found.answers[0].figures
    assert trainings(finished) == before


def test_weights_that_are_not_those_on_record_are_left_out_and_said(finished: str) -> None:
    first, second = (weights_of(finished, trial) for trial in trainings(finished))
    assert first is not None
    assert second is not None
    own = second.read_bytes()
    try:
        second.write_bytes(first.read_bytes())
        found = ask("toy", ["noise-1"], ledger=finished, device="cpu")
        assert len(found.answers) == 1
        assert found.without == (
            f"The final trial 1 of study toy was left out: {second.name} holds other weights than the record tells of.",
        )
        second.unlink()
        assert "its weights are not kept" in ask("toy", ["noise-1"], ledger=finished, device="cpu").without[0]
    finally:
        second.write_bytes(own)


def test_the_command_prints_a_table_and_json(finished: str) -> None:
    architecture = trainings(finished)[0].architecture.id
    words = ["robustness", f"toy:{architecture}", "--ledger", finished, "--device", "cpu"]
    done = CliRunner().invoke(main, [*words, "--eps", "0,8/255", "--corruptions", "--calibration"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "digits v1 · test data · distances in brightness from 0 to 1, clipped to 0 and 1"
    assert architecture in lines[1]
    firsts = [line.split("  ")[0].strip() for line in lines]
    assert {"accuracy as it is", "PGD L∞ 0", "PGD L∞ 8/255", "noise 1", "shift 5", "corrupted", "ECE"} <= {*firsts}
    assert "Reliability, of seed 1:" in lines
    data = json.loads(CliRunner().invoke(main, [*words, "--eps", "0", "--json"]).output)
    assert data["measures"]["pgd-linf-0"]["source"] == "Madry et al. 2018, arXiv:1706.06083"
    assert [one["seed"] for one in data["trainings"]] == [1, 2]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--attack", "pgd"], "An attack has a size; give --eps, such as --eps 0,1/255,2/255."),
        (["--eps", "much"], "--eps are numbers of at least 0 with commas between, such as 0,1/255,0.1, got 'much'."),
        (["--eps", "1/0"], "ε is a number of at least 0, got '1/0'; write 0.1 or 8/255."),
        (["--eps", "0.1", "--attack", "fgsm", "--steps", "3"], "FGSM takes one step from where the input is; name pgd for"),
        (["--groups"], "digits does not tell groups of examples, such as speakers; leave worst-group out."),
        (["--measure", "typos-3"], "typos-3 is no corruption of what digits feeds (image); there: noise, blur, contrast, shift."),
    ],
)
def test_what_cannot_be_asked_is_one_line(finished: str, options: list[str], complaint: str) -> None:
    done = CliRunner().invoke(main, ["robustness", "toy", "--ledger", finished, "--device", "cpu", *options])
    assert done.exit_code == 2
    assert f"nas: {complaint}" in done.output


def test_what_no_gradient_passes_through_is_asked_all_but_attacks(finished: str, tmp_path: Path) -> None:
    pytest.importorskip("torchao")
    folder = Path(finished.removeprefix("sqlite:///")).parent
    shutil.copytree(folder, tmp_path / "copy")
    url = f"sqlite:///{tmp_path}/copy/nas.sqlite"
    derive("toy", "int8-dynamic", seeds=1, ledger=url, device="cpu")
    found = ask("toy", ["pgd-linf-0.1-1", "noise-1"], ledger=url, device="cpu")
    *finalists, child = found.answers
    assert all("test_accuracy:pgd-linf-0.1-1" in one.figures for one in finalists)
    assert {*child.figures} == {"test_accuracy", "test_accuracy:noise-1"}
    assert found.without == ("The derived trial 0 of study toy was not attacked: gradients do not pass through it.",)
    alone = ask("toy", ["pgd-linf-0.1-1"], ledger=url, device="cpu").without
    assert alone == ("The derived trial 0 of study toy was left out: it is int8-dynamic, through which gradients do not pass.",)


def test_a_study_without_finalists_says_how_to_get_some(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    search(TOY, trials=1, study="new", ledger=url, **QUICK)
    with pytest.raises(SearchError, match="No weights of finalists of new are kept, which alone are asked; run `nas finals new`"):
        ask("new", ledger=url, device="cpu")


def test_figures_are_added_to_what_is_complete_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    search(TOY, trials=1, study="new", ledger=url, **QUICK)
    with Ledger(url) as book:
        entry = book.study("new")
        running = book.begin_trial(entry, "final", 0, TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 0}), "ab")
        with pytest.raises(LedgerError, match="The final trial 0 of study new is running, and figures are added to what is"):
            book.add_figures(running, {"test_ece": 0.1})
        (trial,) = book.trials(entry, "search")
        book.add_figures(trial, {"test_ece": 0.1}, "once")
        book.add_figures(trial, {"test_ece": 0.2}, "once")
        (found,) = book.trials(entry, "search")  # whose digests still agree
        assert found.record is not None
        assert trial.record is not None
        assert found.record.figures == {**trial.record.figures, "test_ece": 0.2}
        assert found.record.notes == (*trial.record.notes, "once")


def test_a_search_is_steered_by_what_networks_are_asked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    aim = "validation_accuracy:pgd-linf-8_255"
    study = search(TOY, trials=2, study="held", ledger=url, objectives=[aim], measures=["ece"], **QUICK)
    rows = study.tables[0].rows
    assert [row.figures[aim].mean for row in rows] == sorted((row.figures[aim].mean for row in rows), reverse=True)
    assert all("validation_ece" in row.figures and "test_ece" not in row.figures for row in rows)
    assert study.entry.definition["measures"] == ["ece"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"measures": ["pgd-linf-0.1"], "on": "movie_reviews"}, "and movie_reviews feeds tokens, which has none"),
        ({"measures": ["fog-1"]}, "No corruption is called 'fog'"),
        ({"limits": ["validation_ece <= 0.1"]}, "A limit is on what is known before training"),
        (
            {"objectives": ["validation_accuracy:pgd-linf-0.1"], "pruner": "median"},
            "The pruner 'median' goes by figures of every",
        ),
        ({"recipe": {"adversarial": "strong"}}, "A recipe's adversarial is an attack from one start"),
        ({"recipe": {"adversarial": "pgd-linf-0.1"}, "on": "movie_reviews"}, "has none; leave `adversarial` out"),
        ({"recipe": {"corrupt": 1.5}}, "A recipe's corrupt is a share from 0 to 1"),
    ],
)
def test_what_a_search_cannot_ask_is_refused_at_the_door(options: dict[str, Any], complaint: str) -> None:
    space = "transformer_encoder" if options.get("on") else "residual_cnn"
    with pytest.raises(Exception, match=complaint.replace("(", r"\(")):
        SearchConfig.make(**{"space": space, "on": "digits", **options})


def test_studies_of_before_keep_their_meaning() -> None:
    definition = SearchConfig.make(space="residual_cnn", on="digits").definition()
    assert not {"adversarial", "corrupt"} & {*definition["benchmark"]["recipe"]}
    hard = SearchConfig.make(space="residual_cnn", on="digits", recipe=["adversarial=fgsm-linf-8/255"]).definition()
    assert hard["benchmark"]["recipe"]["adversarial"] == "fgsm-linf-8/255"


def test_what_is_asked_where_nothing_is_said_fits_the_input() -> None:
    from benchmarks.digits import BENCHMARK as DIGITS
    from benchmarks.movie_reviews import BENCHMARK as REVIEWS
    from benchmarks.spoken_digits import BENCHMARK as SPOKEN

    assert usual_measures(DIGITS)[-3:] == ("pgd-linf-16_255", "corruptions", "ece")
    assert usual_measures(SPOKEN)[0] == "pgd-linf-0.001"
    assert usual_measures(REVIEWS) == ("corruptions", "ece")
