"""Candidates that are trained otherwise than by supervision alone: in stages, at costs of their own, by choices of training."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.digits import BENCHMARK
from nas import registry
from nas.benchmark import Budget
from nas.errors import BenchmarkError, Interrupted, RegistryError, SearchError
from nas.evaluation import Evaluator
from nas.models import TrainingKind, build, cost, network_id, plan
from nas.profiling import latency
from nas.searching.config import resolve_benchmark
from nas.space import Limit, Space, parse_space
from nas.training import Checkpoints, Protocol, Ranks, Setup, Stage, protocol_of, stages_of

BUDGET = Budget(epochs=2, fraction=0.1)

TINY = """
name: tiny
version: 1
accepts: image
layers:
  - conv: {features: 8, kernel: 3, stride: 2}
  - patience: {epochs: [1, 2]}
  - head
"""


class Patience(TrainingKind):
    """How many epochs a first stage has."""

    epochs: int = 1


@pytest.fixture(autouse=True)
def _quick_and_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)
    load = registry.load
    monkeypatch.setattr(registry, "load", lambda group, name, **_: Patience if name == "patience" else load(group, name))


def space() -> Space:
    return parse_space(TINY)


class TwoStages(Protocol):
    """Trains the same network twice, as long as the candidate says the first time."""

    stackable = False
    told: list[str] = []  # noqa: RUF012 - of all candidates

    def costs(self) -> Mapping[str, float]:
        return {"warming_flops": 1e9}

    def stages(self, network: nn.Module) -> Iterator[Stage]:
        patience = self.setup.training(Patience)
        assert isinstance(patience, Patience)
        (last,) = super().stages(network)
        yield replace(last, name="warming", budget=replace(last.budget, epochs=patience.epochs), ended=self.warmed)
        self.told.append("fine-tuning")
        yield last

    def warmed(self, figures: Mapping[str, float], seconds: float) -> None:
        self.told.append("warmed")
        self.figures["warming_loss"] = figures["validation_loss"]


@pytest.fixture
def two_stages(monkeypatch: pytest.MonkeyPatch) -> type[TwoStages]:
    monkeypatch.setattr("nas.evaluation.candidate.protocol_of", lambda _: TwoStages)
    monkeypatch.setattr(TwoStages, "told", [])
    return TwoStages


def evaluator(**options: Any) -> Evaluator:
    return Evaluator(space(), BENCHMARK, device="cpu", **options)


def choices(epochs: int) -> Any:
    return space().walk(lambda _, domain: epochs if epochs in list(domain) else next(iter(domain)))


def test_a_choice_of_training_is_no_part_of_the_network_but_of_what_it_is() -> None:
    one, other = choices(1), choices(2)
    signature = BENCHMARK.signature
    assert len(build(space(), one, signature)) == 2
    assert len(plan(space(), one, signature)) == 3
    assert cost(space(), one, signature) == cost(space(), other, signature)
    assert network_id(space(), one, signature) != network_id(space(), other, signature)


def test_stages_are_trained_one_after_another(two_stages: type[TwoStages]) -> None:
    steps: list[int] = []
    record = evaluator()(choices(2), budget=BUDGET, seed=0, on_step=lambda loop: steps.append(loop.steps))
    assert record.outcome == "complete"
    assert two_stages.told[-2:] == ["warmed", "fine-tuning"]
    per_epoch = len(steps) // 4
    assert len(steps) == 4 * per_epoch
    assert [point.epoch for point in record.curve] == [1, 2]
    assert record.figures["warming_flops"] == 1e9
    assert record.figures["warming_loss"] > record.figures["validation_loss"]
    assert record.figures["train_seconds"] > record.curve[-1].seconds


def test_a_layer_of_training_that_nothing_reads_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "patience: not read by the protocol 'supervised', so that nothing hangs on it."
    assert told in evaluator()(choices(1), budget=Budget(epochs=1, fraction=0.02), seed=0).notes
    monkeypatch.setattr("nas.evaluation.candidate.protocol_of", lambda _: TwoStages)
    assert told not in evaluator()(choices(1), budget=Budget(epochs=1, fraction=0.02), seed=0).notes


def test_the_epochs_of_the_last_stage_alone_are_reported(two_stages: type[TwoStages]) -> None:
    told: list[int] = []
    record = evaluator()(
        choices(2), budget=BUDGET, seed=0, report=lambda epoch: bool(told.append(epoch.epoch)) or epoch.epoch == 1
    )
    assert told == [1]
    assert record.outcome == "pruned"
    assert record.error is None


@pytest.mark.parametrize("steps", [1, 3, 5, 6, 7])
def test_a_candidate_goes_on_within_any_of_its_stages(steps: int, two_stages: type[TwoStages], tmp_path: Path) -> None:
    """Each stage has steps enough to be stopped in its middle; a stage that has ended is not trained again."""
    whole = evaluator()(choices(2), budget=BUDGET, seed=0)
    taken = 0

    def stopping() -> bool:
        return taken == steps

    def on_step(_: object) -> None:
        nonlocal taken
        taken += 1

    with pytest.raises(Interrupted):
        evaluator()(choices(2), budget=BUDGET, seed=0, on_step=on_step, checkpoints=Checkpoints(tmp_path, 1e9), stopping=stopping)
    later: list[object] = []
    found = evaluator()(
        choices(2), budget=BUDGET, seed=0, checkpoints=Checkpoints(tmp_path, 1e9), on_step=lambda _: later.append(_)
    )
    assert found.weights_sha256 == whole.weights_sha256
    assert found.figures["warming_loss"] == whole.figures["warming_loss"]
    assert any("Went on from a checkpoint" in note for note in found.notes)
    total = 4 * 2
    assert len(later) == total - steps


def test_a_first_stage_that_diverges_is_named(two_stages: type[TwoStages], monkeypatch: pytest.MonkeyPatch) -> None:
    wild = replace(BENCHMARK, recipe=replace(BENCHMARK.recipe, learning_rate=1e30))
    record = Evaluator(space(), wild, device="cpu")(choices(1), budget=replace(BUDGET, epochs=4), seed=0)
    assert record.error is not None
    assert record.error.kind == "diverged"
    assert record.error.message.startswith("warming: ")
    assert record.figures["train_seconds"] > 0
    assert not record.curve


def test_costs_of_training_are_limited_before_it(two_stages: type[TwoStages]) -> None:
    record = evaluator(limits=[Limit.parse("warming_flops <= 1e8")])(choices(1), budget=BUDGET, seed=0)
    assert record.outcome == "infeasible"
    assert record.broken_limits
    assert two_stages.told == []


def test_scores_that_a_protocol_does_not_serve_are_refused(two_stages: type[TwoStages], monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator(proxies=["synflow"])
    monkeypatch.setattr(two_stages, "scored", False)
    with pytest.raises(SearchError, match=r"^The protocol 'supervised' of digits takes no zero-cost scores; leave that out\.$"):
        evaluator(proxies=["synflow"])


@pytest.mark.parametrize("name", ["digits_generation", "nations", "emoji", "emoji_captions", "unknown_digit"])
def test_a_teacher_of_what_learns_from_none_is_refused(name: str) -> None:
    benchmark = resolve_benchmark(name)
    taught = replace(benchmark, recipe=replace(benchmark.recipe, teacher="winner/model.pt2"))
    with pytest.raises(SearchError, match=rf"^The protocol '{benchmark.protocol}' of {name} takes no teacher; leave that out\.$"):
        Evaluator(parse_space(TINY), taught, device="cpu")


PLAIN = ("supervised", "fine_tune", "link_prediction", "recommendation", "reconstruction", "retrieval")
"""Protocols that are told nothing more."""


@pytest.mark.parametrize("protocol", PLAIN)
def test_options_of_a_protocol_that_has_none_are_refused_before_there_is_a_candidate(protocol: str) -> None:
    told = replace(BENCHMARK, protocol=protocol, protocol_options={"epochs": 5})
    with pytest.raises(BenchmarkError) as caught:
        Evaluator(space(), told, device="cpu")
    assert str(caught.value) == (f"digits: the protocol '{protocol}' has no options, got 'epochs'; leave protocol_options out.")


@pytest.mark.parametrize(
    ("protocol", "near", "meant"),
    [
        ("adversarial", "latnt", "latent"),
        ("contrastive", "pear", "pairs"),
        ("pretrain_then_fine_tune", "epoch", "epochs"),
        ("translation", "forgoten", "forgotten"),
    ],
)
def test_an_option_that_a_protocol_has_not_is_refused_with_those_that_it_has(protocol: str, near: str, meant: str) -> None:
    told = replace(BENCHMARK, protocol=protocol, protocol_options={near: 1})
    with pytest.raises(BenchmarkError) as caught:
        protocol_of(told).admit(told)
    known = ", ".join(sorted(protocol_of(told).options))
    assert meant in known
    assert str(caught.value) == (
        f"digits: the protocol '{protocol}' has no option '{near}'. Did you mean '{meant}'? Known: {known}."
    )


def test_a_protocol_of_another_team_is_told_what_it_declares_and_no_more(
    two_stages: type[TwoStages], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its own `check` looks at."""
    seen: list[Mapping[str, Any]] = []
    monkeypatch.setattr(two_stages, "options", ("pause",))
    monkeypatch.setattr(two_stages, "check", lambda benchmark: seen.append(benchmark.protocol_options))
    Evaluator(space(), replace(BENCHMARK, protocol_options={"pause": 1}), device="cpu")
    assert seen == [{"pause": 1}]
    with pytest.raises(BenchmarkError, match=r"has no option 'slow'\. Known: pause\.$"):
        Evaluator(space(), replace(BENCHMARK, protocol_options={"pause": 1, "slow": 2}), device="cpu")


@pytest.mark.parametrize(("option", "value"), [("adversarial", "pgd-linf-8/255"), ("corrupt", 0.5)])
def test_who_learns_from_other_examples_a_protocol_declares(option: str, value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(BENCHMARK, recipe=replace(BENCHMARK.recipe, **{option: value}))  # type: ignore[arg-type]
    for protocol in ("supervised", "fine_tune"):
        one = replace(changed, protocol=protocol)
        protocol_of(one).admit(one)
    monkeypatch.setattr(Protocol, "hardened", False)
    with pytest.raises(BenchmarkError) as caught:
        Evaluator(space(), changed, device="cpu")
    assert str(caught.value) == (
        f"digits: the protocol 'supervised' trains on examples as they are; leave {option} out of the recipe."
    )


@pytest.mark.parametrize(
    "protocol", ["adversarial", "contrastive", "link_prediction", "recommendation", "reconstruction", "retrieval", "translation"]
)
def test_labels_are_learned_from_corrupted_examples_and_nothing_else(protocol: str) -> None:
    changed = replace(BENCHMARK, recipe=replace(BENCHMARK.recipe, corrupt=0.5), protocol=protocol)
    with pytest.raises(BenchmarkError, match=f"the protocol '{protocol}' trains on examples as they are; leave corrupt out"):
        protocol_of(changed).admit(changed)


def test_a_protocol_that_one_process_alone_can_serve_is_refused_in_several(
    two_stages: type[TwoStages], monkeypatch: pytest.MonkeyPatch
) -> None:
    two = Ranks(0, 2, 0, torch.distributed.HashStore())
    evaluator(ranks=two)
    monkeypatch.setattr(two_stages, "shared", False)
    with pytest.raises(SearchError, match=r"^The protocol 'supervised' of digits takes no second process; leave that out\.$"):
        evaluator(ranks=two)


def test_replicates_of_several_stages_train_one_after_another_each_as_if_alone(two_stages: type[TwoStages]) -> None:
    alone = [evaluator()(choices(1), budget=BUDGET, seed=seed) for seed in (4, 5)]
    told: list[tuple[int, float]] = []

    def on_replicate(number: int, figures: Mapping[str, float]) -> bool:
        told.append((number, figures["validation_accuracy"]))
        return False

    both = evaluator(replicates=2)(choices(1), budget=BUDGET, seed=4, on_replicate=on_replicate, final=True)
    assert both.outcome == "complete", both.error
    assert [one.weights_sha256 for one in both.replicates] == [one.weights_sha256 for one in alone]
    assert both.weights_sha256 == alone[0].weights_sha256
    accuracies = [one.figures["validation_accuracy"] for one in alone]
    assert told == list(enumerate(accuracies))
    assert both.figures["validation_accuracy"] == pytest.approx(sum(accuracies) / 2)
    assert "test_accuracy" in both.figures
    assert "Trained one after another: they are not trained by supervision alone." in both.notes
    pruned = evaluator(replicates=3)(choices(1), budget=BUDGET, seed=4, on_replicate=lambda number, _: number == 1)
    assert pruned.outcome == "pruned"
    assert len(pruned.replicates) == 2


def test_a_replicate_that_diverges_ends_the_candidate(two_stages: type[TwoStages]) -> None:
    wild = replace(BENCHMARK, recipe=replace(BENCHMARK.recipe, learning_rate=1e30))
    record = Evaluator(space(), wild, device="cpu", replicates=2)(choices(1), budget=replace(BUDGET, epochs=4), seed=7)
    assert record.error is not None
    assert record.error.kind == "diverged"
    assert record.error.message.startswith("from seed 7, warming: ")
    assert len(record.replicates) == 1


def test_what_a_stage_draws_follows_from_the_candidates_seed() -> None:
    class Drawing(Protocol):
        def stages(self, network: nn.Module) -> Iterator[Stage]:
            drawn.append(torch.rand(1).item())
            yield from super().stages(network)

    drawn: list[float] = []
    before = torch.get_rng_state()
    for seed in (0, 0, 1):
        setup = Setup(benchmark=BENCHMARK, task=None, parts=(), feed=lambda _: None, budget=BUDGET, seed=seed)  # type: ignore[arg-type, return-value]
        assert len(list(stages_of(Drawing(setup), nn.Identity()))) == 1
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_protocol_is_found_by_its_name() -> None:
    assert protocol_of(BENCHMARK) is Protocol
    with pytest.raises(RegistryError, match=r"No training protocol is called 'supervise'\. Did you mean 'supervised'"):
        protocol_of(replace(BENCHMARK, protocol="supervise"))


def test_what_is_no_protocol_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda *_, **__: dict)
    with pytest.raises(RegistryError, match=r"must be a subclass of nas\.training\.Protocol, got"):
        protocol_of(BENCHMARK)


def test_a_benchmarks_data_name_a_protocol_where_it_is_not_the_plain_one() -> None:
    assert not {"protocol", "protocol_options"} & set(BENCHMARK.to_data())
    other = replace(BENCHMARK, protocol="adversarial", protocol_options={"samples": 3}).to_data()
    assert (other["protocol"], other["protocol_options"]) == ("adversarial", {"samples": 3})


def test_the_protocol_on_the_page_for_plugins_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/plugins.md").read_text(encoding="utf-8")
    (written,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "NoisyProtocol" in block]
    scope: dict[str, Any] = {"__name__": "page"}
    exec(compile(written, "plugins.md", "exec"), scope)  # noqa: S102 - our own page
    plain = evaluator()(choices(1), budget=BUDGET, seed=0)
    monkeypatch.setattr("nas.evaluation.candidate.protocol_of", lambda _: scope["NoisyProtocol"])
    noisy = evaluator()(choices(1), budget=BUDGET, seed=0)
    assert noisy.outcome == plain.outcome == "complete"
    assert noisy.weights_sha256 != plain.weights_sha256
