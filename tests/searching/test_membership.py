"""`nas privacy`: members of finalists of the digits, guessed by losses and by shadow networks."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from toys import TOY

import nas
from nas.benchmark import Budget
from nas.cli import main
from nas.errors import SearchError
from nas.models import build, plan
from nas.privacy import pool_of, train_shadows
from nas.records import Ledger, Record, this_machine, usual_direction
from nas.searching import resolve_benchmark
from nas.searching.membership import Basis, guess_members, noted
from nas.training import Examples, load_task


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A study `s` with a finalist that was trained by heart on a few examples."""
    from benchmarks import digits

    url = f"sqlite:///{tmp_path_factory.mktemp('ledger')}/nas.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        final = replace(digits.BENCHMARK.final_budget, epochs=40, fraction=0.03)
        patch.setattr(digits, "BENCHMARK", replace(digits.BENCHMARK, final_budget=final))
        given: dict[str, Any] = {"recipe": {"batch_size": 8, "shift": 0, "label_smoothing": 0.0, "weight_decay": 0.0}}
        nas.search(TOY, on="digits", trials=1, study="s", ledger=url, epochs=1, fraction=0.05, **given)
        nas.finals("s", top=1, seeds=1, ledger=url)
    return url


def run(ledger: str, *words: str) -> Result:
    return CliRunner().invoke(main, ["privacy", *words, "--ledger", ledger])


def test_who_was_learned_by_heart_is_told_by_the_loss(ledger: str) -> None:
    (row,) = guess_members("s", ledger=ledger)
    assert (row.members, row.others) == (32, 360)  # of 1,078 training examples, and all of validation
    assert row.by_loss.auroc_low > 0.6
    assert row.by_loss.auroc_low < row.by_loss.auroc < row.by_loss.auroc_high
    assert row.by_loss.found is not None
    assert row.by_shadows is None
    assert row.figures == {"membership_auroc": row.by_loss.auroc, "membership_found": row.by_loss.found}
    (board,) = [table for table in nas.searching.Study("s", ledger).tables if table.stage == "final"]
    assert board.rows[0].figures["membership_auroc"].mean == row.by_loss.auroc  # it is a column
    assert usual_direction("membership_auroc") == usual_direction("privacy_epsilon") == "minimize"
    printed = CliRunner().invoke(main, ["rank", "s", "--ledger", ledger]).output
    assert "membership AUROC" in printed


def test_the_command_prints_a_row_a_training_and_json(ledger: str) -> None:
    done = run(ledger, "s", "--examples", "100")
    assert done.exit_code == 0, done.output
    assert "AUROC by loss" in done.output
    assert "32 members and 100 others; in brackets 95 % intervals over them." in done.output
    (data,) = json.loads(run(ledger, "s", "--examples", "50", "--json").output)
    assert data["trained"] == "finalist"
    assert data["privacy_epsilon"] is None
    assert data["by_loss"]["found"] is None  # 50 others are too few for one in a hundred


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["s", "--shadows", "3"],
            "nas: Shadow networks come in pairs, of which two are needed at least, got 3; ask for 4, 6 or 8.",
        ),
        (["s", "--examples", "1"], "nas: At least 2 members are guessed at, got 1."),
        (["t"], "is called 't'. Known: s."),
        (["s:99"], "nas: s:99 is no finalist."),
    ],
)
def test_what_is_wrong_is_one_line(ledger: str, words: list[str], message: str) -> None:
    done = run(ledger, *words)
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.strip().splitlines()) == 1


def test_each_example_is_in_as_many_shadow_networks_as_it_is_out_of() -> None:
    benchmark = resolve_benchmark("digits")
    task = load_task(benchmark, None)
    train, validation = (task.examples(split) for split in ("train", "validation"))
    pool = pool_of(Examples(train.inputs[:30], train.targets[:30]), Examples(validation.inputs[:10], validation.targets[:10]))
    architecture = next(iter([TOY.walk(lambda _, domain: next(iter(domain)))]))
    told: list[int] = []
    shadows = train_shadows(
        lambda seed: build(TOY, architecture, benchmark.signature, seed=seed),
        plan(TOY, architecture, benchmark.signature),
        benchmark,
        task,
        pool,
        budget=replace(benchmark.budget, epochs=1),
        count=4,
        forward_flops=None,
        data=None,
        device=torch.device("cpu"),
        on_trained=told.append,
    )
    inside = np.stack([one.inside_N.numpy() for one in shadows])
    assert inside.sum(0).tolist() == [2] * 40
    assert inside.sum(1).tolist() == [20] * 4
    assert not (inside[0] & inside[1]).any()
    assert not np.array_equal(inside[0], inside[2])
    weights = [torch.cat([weight.flatten() for weight in one.network.parameters()]) for one in shadows]
    assert not torch.equal(weights[0], weights[1])
    assert told == [1, 2, 3, 4]


def test_shadow_networks_tell_more_than_chance(ledger: str) -> None:
    (row,) = guess_members("s", shadows=4, examples=60, ledger=ledger)
    assert row.by_shadows is not None
    assert 0.5 < row.by_shadows.auroc <= 1
    assert "membership_lira_auroc" in row.figures


def test_a_record_keeps_what_rests_on_more(ledger: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(Path(ledger.removeprefix("sqlite:///")).parent, tmp_path / "copy")
    url = f"sqlite:///{tmp_path}/copy/nas.sqlite"
    (whole,) = guess_members("s", ledger=url)
    assert whole.kept == ()
    done = run(url, "s", "--examples", "100")
    (data,) = json.loads(run(url, "s", "--examples", "100", "--json").output)
    with Ledger(url) as book:
        (trial,) = book.trials(book.study("s"), "final")
    assert trial.record is not None
    assert trial.record.figures["membership_auroc"] == whole.by_loss.auroc != data["by_loss"]["auroc"]
    assert data["kept"] == [
        f"The record of final trial 0 of study s keeps its membership AUROC of {whole.by_loss.auroc:.3f}, of 32 members and 360 "
        f"others; now it is {data['by_loss']['auroc']:.3f}, of 32 members and 100 others."
    ]
    assert data["kept"][0] in done.output
    monkeypatch.setattr("nas.cli.privacy.MOST_KEPT", 0)
    assert run(url, "s", "--examples", "100").output.endswith("\nSo it is for 1 more; --json names each.\n")
    assert sum("guessed by its losses" in note for note in trial.record.notes) >= 1


def test_what_a_guess_rests_on_is_read_from_the_last_note_of_its_kind() -> None:
    record = Record(outcome="complete", seed=0, budget=Budget(epochs=1), device="cpu", threads=1, machine=this_machine())
    assert noted(record, by_shadows=False) is None
    small, large = Basis(members=30, others=60), Basis(members=1_500, others=360)
    by_shadows = Basis(members=30, others=60, shadows=8)
    told = replace(record, notes=("Something else.", small.note, large.note, by_shadows.note))
    assert noted(told, by_shadows=False) == large
    assert noted(told, by_shadows=True) == by_shadows
    assert small.yields(large)
    assert not large.yields(small)
    assert Basis(members=1_500, others=360, shadows=4).yields(by_shadows), "it rests on fewer networks"
    old = "Members were guessed after it was trained, 1,500 training examples among 360 of validation."
    assert (
        noted(replace(record, notes=(old,)), by_shadows=False) == noted(replace(record, notes=(old,)), by_shadows=True) == large
    )


def test_without_kept_weights_nothing_can_be_guessed(ledger: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/nas.sqlite"
    nas.search(TOY, on="digits", trials=1, study="u", ledger=url, epochs=1, fraction=0.05)
    with pytest.raises(SearchError, match="has no finalists; `nas finals u` trains them and keeps their weights"):
        guess_members("u", ledger=url)


def test_what_was_made_of_a_finalist_is_guessed_at_beside_it(ledger: str, tmp_path: Path) -> None:
    shutil.copytree(Path(ledger.removeprefix("sqlite:///")).parent, tmp_path / "copy")
    url = f"sqlite:///{tmp_path}/copy/nas.sqlite"
    nas.searching.derive("s", "int8-weights", options={}, ledger=url)
    finalist, whole_numbers = guess_members("s", ledger=url, examples=60, shadows=4)
    assert (finalist.words, whole_numbers.words) == ("finalist", "int8-weights")
    assert whole_numbers.by_loss.auroc == pytest.approx(finalist.by_loss.auroc, abs=0.05)
    assert finalist.by_shadows is not None
    assert whole_numbers.by_shadows is None  # no shadow network begins as it did
    number = whole_numbers.trial.id
    with pytest.raises(SearchError, match="began from its parent's weights, as shadow networks do not; ask for 0"):
        guess_members(f"s:id:{number}", ledger=url, shadows=4)
    printed = run(url, "s", "--examples", "30").output
    assert "int8-weights" in printed
