"""A trunk learns without labels, is kept, and is trained further with labels."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from toy_texts import LENGTH, VOCABULARY, ToyTexts, architecture, benchmark, evaluator

from nas.benchmark import Budget
from nas.cli.training import Watcher
from nas.errors import BenchmarkError, Interrupted, RegistryError
from nas.profiling import latency
from nas.protocols.pretraining import Options, PretrainThenFineTune
from nas.records import Record
from nas.training import Checkpoints

BUDGET = Budget(epochs=2)
STEPS = 8, 6
"""Of the toy's two stages."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    monkeypatch.setattr("nas.evaluation.candidate.load_task", lambda *_: ToyTexts())


def trained(store: Path | None = None, seed: int = 0, on: Any = None, chosen: Any = None, **given: Any) -> Record:
    return evaluator(store, on)(architecture(**(chosen or {})), budget=BUDGET, seed=seed, final=True, **given)


def same(one: Record, other: Record) -> bool:
    timed = {"train_seconds", "pretrain_seconds", "latency_ms"}
    figures = [{name: value for name, value in record.figures.items() if name not in timed} for record in (one, other)]
    return one.outcome == other.outcome == "complete" and one.weights_sha256 == other.weights_sha256 and figures[0] == figures[1]


def test_a_trunk_is_trained_first_and_then_the_network() -> None:
    lengths: list[int] = []
    record = trained(on_step=lambda loop: lengths.append(loop.steps))
    assert record.outcome == "complete", record.error
    assert lengths == [8] * 8 + [6] * 6
    assert 0 < record.figures["pretrain_validation_bits_per_token"] < 5
    assert record.figures["pretrain_seconds"] > 0
    assert [point.epoch for point in record.curve] == [1, 2]
    assert record.figures["train_seconds"] == pytest.approx(record.curve[-1].seconds)
    assert "The trunk was pre-trained for this candidate, and not kept, so that it serves this candidate alone." in record.notes


def test_how_far_it_is_is_told_of_either_stage() -> None:
    said: list[str] = []
    record = trained(on_step=Watcher(said.append, said.append).step)
    assert record.outcome == "complete", record.error
    assert [words.partition(",")[0] for words in said] == [f"step {n} of {steps}" for steps in STEPS for n in range(2, steps + 1)]


def test_the_cost_of_a_pre_training_is_what_it_is_by_hand() -> None:
    # Attention of two heads on 8 positions of 8 numbers; a feed-forward of ratio 1; the head where tokens are asked for.
    block = LENGTH * 6 * 8**2 + 2 * LENGTH**2 * 8
    head = 0.15 * LENGTH * (8 * 8 + 8 * VOCABULARY)
    assert trained().figures["pretrain_flops"] == pytest.approx(3 * 2 * (block + head) * 2 * 64)


@pytest.mark.parametrize("stop_after", [3, STEPS[0], STEPS[0] + 4])
@pytest.mark.parametrize("kept", [False, True], ids=["of its own", "shared"])
def test_a_candidate_that_was_killed_in_either_stage_goes_on_to_the_same_bits(
    stop_after: int, kept: bool, tmp_path: Path
) -> None:
    whole = trained(chosen={"rank": 2})
    store = tmp_path / "trunks" if kept else None
    steps: list[int] = []

    def stopping() -> bool:
        return len(steps) >= stop_after

    with pytest.raises(Interrupted):
        trained(
            store,
            chosen={"rank": 2},
            on_step=lambda loop: steps.append(loop.at.step),
            stopping=stopping,
            checkpoints=Checkpoints(tmp_path / "kept", 0),
        )
    again = trained(
        store, chosen={"rank": 2}, on_step=lambda loop: steps.append(loop.at.step), checkpoints=Checkpoints(tmp_path / "kept", 0)
    )
    assert same(whole, again)
    assert len(steps) == sum(STEPS), "no step is taken twice"


def test_a_trunk_that_is_used_again_gives_what_one_trained_here_gives(tmp_path: Path) -> None:
    alone = trained(chosen={"pool": "max", "frozen": 0.5})
    first = trained(tmp_path)
    steps: list[int] = []
    again = trained(tmp_path, chosen={"pool": "max", "frozen": 0.5}, on_step=lambda loop: steps.append(loop.steps))
    assert steps == [6] * 6
    assert same(alone, again)
    assert again.figures["pretrain_seconds"] == first.figures["pretrain_seconds"]
    (file,) = tmp_path.glob("*.safetensors")
    assert f"The trunk was pre-trained for this candidate, and kept ({file.stem})." in first.notes
    assert f"The trunk was pre-trained for a candidate before this one, and is used again ({file.stem})." in again.notes


def test_what_decides_the_weights_of_a_trunk_decides_its_name(tmp_path: Path) -> None:
    trained(tmp_path)
    for number, other in enumerate(
        (
            {"seed": 1},
            {"chosen": {"causal": True}},
            {"on": benchmark(epochs=1)},
            {"on": benchmark(options={"share": 0.3})},
            {"on": benchmark(recipe={"batch_size": 32})},
        )
    ):
        trained(tmp_path, **other)
        assert len([*tmp_path.glob("*.safetensors")]) == number + 2, other
    trained(tmp_path, on=replace(benchmark(), recipe=replace(benchmark().recipe, patience=2)))
    assert len([*tmp_path.glob("*.safetensors")]) == 6, "the fine-tuning's recipe decides nothing of the trunk"


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: data[:-9] + b"\1" * 9, lambda _: b"", lambda _: b"nothing"]
)
def test_a_trunk_that_is_damaged_is_trained_again_and_replaced(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    whole = trained(tmp_path)
    (file,) = tmp_path.glob("*.safetensors")
    file.write_bytes(damage(file.read_bytes()))
    again = trained(tmp_path)
    assert same(whole, again)
    assert f"The trunk was pre-trained for this candidate, and kept ({file.stem})." in again.notes
    assert (
        f"The trunk was pre-trained for a candidate before this one, and is used again ({file.stem})." in trained(tmp_path).notes
    )


def test_the_lock_is_let_go_of_whatever_befalls_a_pre_training(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        trained(tmp_path, on_step=lambda _: None, stopping=iter([False, False, False, True]).__next__)
    (lock,) = tmp_path.glob("*.lock")
    with FileLock(lock, timeout=0):
        pass
    assert not [*tmp_path.glob("*.safetensors")]


def test_a_trunk_that_cannot_be_kept_costs_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nas.protocols.trunks.write_whole", full)
    record = trained(tmp_path)
    assert record.outcome == "complete"
    assert "The trunk was pre-trained for this candidate, and could not be kept (No space left on device)." in record.notes


def test_a_pre_training_that_diverges_is_a_record_and_leaves_no_trunk(tmp_path: Path) -> None:
    record = trained(tmp_path, on=benchmark(recipe={"batch_size": 16, "learning_rate": 1e30}))
    assert record.outcome == "failed"
    assert record.error is not None
    assert re.match(r"pre-training: the loss was (nan|inf) at step \d+ of 8\.", record.error.message)
    assert not [*tmp_path.glob("*.safetensors")]


def test_a_pre_training_without_memory_is_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("no memory")

    evaluate = evaluator()
    monkeypatch.setattr("nas.protocols.texts._OfTokens.loss", full)
    record = evaluate(architecture(), budget=BUDGET, seed=0)
    assert record.error is not None
    assert record.error.kind == "out_of_memory"


def test_from_scratch_the_labels_alone_are_learned_from_as_long_as_both_stages_take() -> None:
    steps: list[int] = []
    record = trained(on=benchmark(from_scratch=True), on_step=lambda loop: steps.append(loop.steps))
    # By hand: 2 epochs of 64 texts without labels, of 24 with: 48 + 128 examples are 3.67 times 48, and so 4 times 6 steps of 8.
    assert len(steps) == 24
    assert "pretrain_seconds" not in record.figures
    assert record.notes[-1] == "It was trained from scratch, 4 times as long as it is fine-tuned: as long as both stages take."
    assert [point.epoch for point in record.curve] == [1, 2]


def test_labels_are_learned_from_corrupted_texts_by_a_trunk_that_knows_them_as_they_are(tmp_path: Path) -> None:
    plain, other = trained(tmp_path), replace(benchmark(), recipe=replace(benchmark().recipe, corrupt=1.0))
    corrupted = trained(tmp_path, on=other)
    assert corrupted.outcome == "complete", corrupted.error
    assert any("is used again" in note for note in corrupted.notes)
    assert corrupted.weights_sha256 != plain.weights_sha256
    assert corrupted.curve[0].train_loss != plain.curve[0].train_loss


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 1}, r"^toy_texts: the protocol 'pretrain_then_fine_tune' has no option 'epoch'\. Did you mean 'epochs'\?"),
        ({"epochs": 0}, r"^toy_texts: epochs of the pre-training: Input should be greater than or equal to 1, got 0\.$"),
        ({"recipe": {"rate": 1}}, r"^toy_texts: a recipe has no 'rate'\."),
        (
            {"recipe": {"corrupt": 0.5}},
            r"^toy_texts: a pre-training takes examples as they are and has no teacher, got corrupt 0\.5",
        ),
        ({"recipe": {"teacher": "a.pt2"}}, r"^toy_texts: .* has no teacher, got teacher a\.pt2; leave it out"),
        ({"options": {"part": 0.1}}, r"^The pretext 'masked_tokens' has no option 'part'\."),
        ({"options": {"share": 2.0}}, r"^The pretext masked_tokens\.share: Input should be less than 1, got 2\.0\.$"),
    ],
)
def test_what_a_benchmark_says_wrongly_is_told_in_a_line_before_there_is_a_candidate(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BenchmarkError, match=message):
        trained(on=benchmark(**options))
    with pytest.raises(BenchmarkError, match=message):
        PretrainThenFineTune.admit(benchmark(**options))


def test_a_recipe_s_teacher_is_of_the_fine_tuning_alone() -> None:
    plain = benchmark()
    taught = replace(plain, recipe=replace(plain.recipe, teacher="a.pt2", teacher_weight=0.5, temperature=2.0))
    options = Options.read(plain.protocol_options, plain.name)
    assert options.recipe_of(plain.name, taught.recipe) == options.recipe_of(plain.name, plain.recipe)


def test_a_pretext_that_there_is_not_is_told() -> None:
    with pytest.raises(RegistryError, match=r"^No pretext is called 'masked_token'\. Did you mean 'masked_tokens'\?"):
        trained(on=benchmark(pretext="masked_token"))
