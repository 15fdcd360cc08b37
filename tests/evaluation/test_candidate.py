"""One candidate, front to back, on the digits; what can go wrong is a layer of another team's package."""

import gc
import json
import random
import re
import sys
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, ClassVar

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

import benchmarks.digits.task
from benchmarks.digits import BENCHMARK
from nas import registry
from nas.benchmark import Budget, Image, Shape
from nas.device import place
from nas.errors import BenchmarkError, SearchError, SpaceError
from nas.evaluation import Evaluator
from nas.models import Cost, LayerKind, build
from nas.profiling import latency
from nas.records import FIGURES, Epoch, Latency, Record, this_machine, versions
from nas.space import Architecture, Limit, Space, parse_space
from nas.training import Examples, Method, Split, Task, digest_tensors, load_task, replicates, train
from nas.training import evaluate as evaluate_on

BUDGET = Budget(epochs=1, fraction=0.1)

TINY = "conv: {features: 8, kernel: [3, 5], stride: 2}"

PARAMS = 9 * 8 + 2 * 8 + (8 * 10 + 10)
"""Of TINY's first architecture with a head: eight filters, batch normalisation, a linear layer."""

MACS = 4 * 4 * 9 * 8 + 8 * 10


def space(*layers: str) -> Space:
    return parse_space("name: tiny\nversion: 1\naccepts: image\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers))


def first(of: Space) -> Architecture:
    return of.walk(lambda _, domain: next(iter(domain)))


def evaluator(*layers: str, limits: Sequence[str] = (), **options: Any) -> Evaluator:
    given: dict[str, Any] = {"benchmark": BENCHMARK, "device": "cpu", **options}
    return Evaluator(space(*(layers or (TINY, "head"))), limits=[Limit.parse(limit) for limit in limits], **given)


def evaluated(*layers: str, limits: Sequence[str] = (), budget: Budget = BUDGET, seed: int = 0, **options: Any) -> Record:
    evaluate = evaluator(*layers, limits=limits)
    return evaluate(first(evaluate.space), budget=budget, seed=seed, **options)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


class Plugin(LayerKind):
    """A layer that keeps the shape; what it does is a module of its own."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    module: ClassVar[type[nn.Module]] = nn.Identity

    def output(self, given: Shape, wanted: Shape) -> Shape:
        return given

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        return self.module()


class Raises(nn.Module):
    def forward(self, images_NCHW: Tensor) -> Tensor:
        raise ValueError("this layer\nis broken")


class NoGpuMemory(nn.Module):
    def forward(self, images_NCHW: Tensor) -> Tensor:
        if self.training:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 80.00 GiB.")
        return images_NCHW


class NoHostMemory(nn.Module):
    """Asks for 4 PiB, which costs nothing on the meta device."""

    def forward(self, images_NCHW: Tensor) -> Tensor:
        return images_NCHW + torch.empty(2**50, device=images_NCHW.device)[0]


class Exits(nn.Module):
    def forward(self, images_NCHW: Tensor) -> Tensor:
        if self.training:
            sys.exit(3)
        return images_NCHW


class NoNumber(nn.Module):
    def forward(self, images_NCHW: Tensor) -> Tensor:
        return images_NCHW * float("nan")


class Larger(nn.Module):
    def forward(self, images_NCHW: Tensor) -> Tensor:
        return torch.cat([images_NCHW, images_NCHW], dim=1)


class RowByRow(nn.Module):
    """A recurrent cell over all rows of four pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTM(4, 4, batch_first=True)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        rows_NRW, _ = self.cell(images_NCHW.flatten(1, 2))
        return rows_NRW.reshape(images_NCHW.shape)


class Talkative(nn.Identity):
    """Its state is not of tensors alone, so that there is neither a digest nor a file of it."""

    def get_extra_state(self) -> str:
        return "words"

    def set_extra_state(self, state: str) -> None:
        """Forget them."""


class Worded(Plugin):
    module = Talkative


class Raising(Plugin):
    module = Raises


class OutOfGpuMemory(Plugin):
    module = NoGpuMemory


class OutOfHostMemory(Plugin):
    module = NoHostMemory


class Exiting(Plugin):
    module = Exits


class Poison(Plugin):
    module = NoNumber


class Lying(Plugin):
    module = Larger


class Recurrent(Plugin):
    module = RowByRow


class Boasting(Plugin):
    """Its formula says more than torch counts."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        return Cost(params=7, macs=1_000)


class Formula(Plugin):
    """Its cost is known, and nobody has to build it to know."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        return Cost(params=1_000_000)

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        raise AssertionError("built")


class OnPaper(Plugin):
    """Can be counted, and cannot be built."""

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        if torch.empty(0).device.type != "meta":
            raise AssertionError("built for real")
        return nn.Identity()


@pytest.fixture
def _plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The layers above, as pip would install them."""
    info = tmp_path / "other_team-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-team\nVersion: 1.0\n")
    names = [Raising, OutOfGpuMemory, OutOfHostMemory, Exiting, Poison, Lying, Recurrent, OnPaper, Boasting, Formula, Worded]
    lines = [f"{kind.__name__.lower()} = {__name__}:{kind.__name__}" for kind in names]
    (info / "entry_points.txt").write_text("\n".join(["[nas.layers]", *lines]))
    monkeypatch.syspath_prepend(tmp_path)
    registry.owners.cache_clear()
    yield
    registry.owners.cache_clear()


def test_a_complete_record_has_every_figure_and_where_it_came_from() -> None:
    record = evaluated()
    assert record.outcome == "complete"
    assert set(record.figures) == {*FIGURES, "validation_accuracy", "validation_loss"}
    assert all(value >= 0 for value in record.figures.values())
    assert (record.seed, record.budget, record.device, record.threads) == (0, BUDGET, "cpu", 1)
    assert record.machine == this_machine()
    assert record.versions == versions()
    assert {"python", "torch", "timm", "fvcore", "numpy", "nas-harness"} <= set(record.versions)
    assert record.commit is None or re.fullmatch(r"[0-9a-f]{12}(-dirty)?", record.commit)
    assert record.seconds is not None
    assert record.seconds > record.figures["train_seconds"] > 0
    assert record.error is None
    assert record.broken_limits == record.notes == ()


def test_counted_figures_are_those_of_the_network() -> None:
    record = evaluated()
    counted = {name: record.figures[name] for name in ("params", "macs", "flops")}
    assert counted == {"params": PARAMS, "macs": MACS, "flops": 2 * MACS} == {"params": 178, "macs": 1_232, "flops": 2_464}
    assert record.uncounted == {}


@pytest.mark.usefixtures("_plugins")
def test_a_candidate_that_its_formulas_put_outside_a_limit_is_not_built() -> None:
    record = evaluated(TINY, "formula", "head", limits=["params <= 50e3"])
    assert record.outcome == "infeasible"
    assert record.figures == {"params": 1_000_000 + PARAMS, "macs": MACS, "flops": 2 * MACS}


@pytest.mark.usefixtures("_plugins")
def test_a_formula_that_does_not_hold_is_told_and_does_not_count() -> None:
    record = evaluated(TINY, "boasting", "head")
    assert (record.figures["params"], record.figures["macs"]) == (PARAMS, MACS)
    assert record.notes == (
        "The layers' formulas give 185 params; the figure is torch's.",
        "The layers' formulas give 2,232 macs; the figure is torch's.",
    )


def test_the_latency_of_a_record_is_that_of_one_example() -> None:
    record = evaluated()
    assert isinstance(record.latency, Latency)
    assert record.latency.median_ms == record.figures["latency_ms"]
    assert (record.latency.batch_size, record.latency.threads, record.latency.dtype) == (1, 1, "float32")


def test_peak_memory_holds_a_training_step_on_a_whole_batch() -> None:
    batch, hidden = 64 * 8 * 8, 64 * 8 * 4 * 4
    record = evaluated()
    assert record.figures["peak_memory_bytes"] > 4 * (batch + hidden + 4 * record.figures["params"])


def test_the_figures_at_the_end_are_those_of_the_last_epoch() -> None:
    record = evaluated(budget=Budget(epochs=2, fraction=0.1))
    assert [point.epoch for point in record.curve] == [1, 2]
    assert record.curve[-1].figures == {name: record.figures[name] for name in ("validation_accuracy", "validation_loss")}
    assert record.curve[-1].seconds == record.figures["train_seconds"]


def test_what_is_measured_before_does_not_change_what_is_learned() -> None:
    """The record's curve is what `train` gives for a network that nobody has looked at."""
    evaluate = evaluator()
    architecture = first(evaluate.space)
    record = evaluate(architecture, budget=BUDGET, seed=3)
    model = place(build(evaluate.space, architecture, BENCHMARK.signature, seed=3), evaluate.device)
    alone = train(model, Method(evaluate.task, BENCHMARK.recipe), evaluate.training, evaluate.validation, budget=BUDGET, seed=3)
    assert [(p.train_loss, p.figures) for p in record.curve] == [(p.train_loss, p.figures) for p in alone.curve]


def test_equal_seeds_give_equal_scores_and_others_others() -> None:
    evaluate = evaluator()
    losses = [evaluate(first(evaluate.space), budget=BUDGET, seed=seed).figures["validation_loss"] for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_the_figures_of_replicates_are_the_means_over_their_seeds() -> None:
    """Too short to find out whether together is faster, so that each is trained as alone."""
    evaluate, told = evaluator(replicates=3), list[int]()
    budget = Budget(epochs=2, fraction=0.1)
    given = {"budget": budget, "final": True}
    record = evaluate(first(evaluate.space), seed=4, report=lambda point: bool(told.append(point.epoch)), **given)
    alone = [evaluator()(first(evaluate.space), seed=seed, **given) for seed in (4, 5, 6)]
    for name in ("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"):
        assert record.figures[name] == pytest.approx(fmean(one.figures[name] for one in alone))
    assert [one.seed for one in record.replicates] == [4, 5, 6]
    for replicate, one in zip(record.replicates, alone, strict=True):
        assert replicate.figures == {name: one.figures[name] for name in replicate.figures}
        assert [point.figures for point in replicate.curve] == [point.figures for point in one.curve]
    for number, point in enumerate(record.curve):
        assert point.train_loss == pytest.approx(fmean(one.curve[number].train_loss for one in alone))
    assert record.figures["train_seconds"] == record.curve[-1].seconds == sum(one.curve[-1].seconds for one in record.replicates)
    assert (record.outcome, record.seed, told) == ("complete", 4, [1, 2])
    assert record.notes[-1].startswith("Trained one after another: ")


def test_replicates_may_train_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicates, "GAIN", 0.0)
    evaluate = evaluator(replicates=2, together="auto")
    record = evaluate(first(evaluate.space), budget=Budget(epochs=100, fraction=0.1), seed=0)
    assert record.notes[-1].startswith("Trained together: 2 networks together were ")
    assert Record.from_data(json.loads(json.dumps(record.to_data()))) == record


def test_the_first_of_replicates_is_kept() -> None:
    evaluate, kept = evaluator(replicates=2), list[nn.Module]()
    record = evaluate(first(evaluate.space), budget=BUDGET, seed=0, keep=kept.append)
    (model,) = kept
    figures = evaluate_on(model, evaluate.task, evaluate.validation, "validation")
    assert figures == record.replicates[0].figures


@pytest.mark.usefixtures("_plugins")
def test_replicates_of_which_one_diverges_have_no_mean() -> None:
    record = evaluator(TINY, "poison", "head", replicates=2)(first(space(TINY, "poison", "head")), budget=BUDGET, seed=3)
    assert record.error is not None
    assert record.error.message == "from seed 3, the loss was nan at step 1 of 2."
    assert "validation_loss" not in record.figures


def test_replicates_are_not_compiled() -> None:
    with pytest.raises(SearchError, match=r"^Replicates are not compiled, got 2 and compile 'auto'; leave one of them out.$"):
        evaluator(replicates=2, compile="auto")


def test_an_error_of_the_listener_of_replicates_is_raised() -> None:
    evaluate = evaluator(replicates=2)

    def report(_: Epoch) -> bool:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match=r"^the disk is full$"):
        evaluate(first(evaluate.space), budget=BUDGET, seed=0, report=report)


def test_the_global_random_state_stays() -> None:
    before = torch.get_rng_state(), random.getstate()
    evaluated(final=True)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


@pytest.mark.usefixtures("_plugins")
def test_a_network_outside_a_limit_on_counts_is_neither_built_nor_trained() -> None:
    record = evaluated(TINY, "onpaper", "head", limits=["params <= 100"])
    assert record.outcome == "infeasible"
    assert record.figures == {"params": PARAMS, "macs": MACS, "flops": 2 * MACS}
    assert record.broken_limits == ("params <= 100, got 178",)
    assert record.curve == ()
    assert record.latency is None
    assert record.uncounted is None
    assert record.error is None


@pytest.mark.usefixtures("_plugins")
def test_a_network_within_its_limits_is_built() -> None:
    record = evaluated(TINY, "onpaper", "head", limits=["params <= 178"])
    assert record.error is not None
    assert record.error.message == "AssertionError: built for real"


@pytest.mark.parametrize("figure", ["latency_ms", "peak_memory_bytes"])
def test_a_limit_on_what_is_measured_is_checked_before_training(figure: str) -> None:
    record = evaluated(limits=[f"{figure} <= 1e-6", "flops <= 1e9"])
    assert record.outcome == "infeasible"
    assert [limit.partition(",")[0] for limit in record.broken_limits] == [f"{figure} <= 1e-06"]
    assert set(record.figures) == set(FIGURES) - {"train_seconds"}
    assert record.curve == ()
    assert evaluated(limits=[f"{figure} <= 1e12"]).outcome == "complete"


def test_every_broken_limit_is_named() -> None:
    record = evaluated(limits=["params <= 100", "flops <= 400", "macs <= 1e4"])
    assert record.broken_limits == ("params <= 100, got 178", "flops <= 400, got 2,464")


def test_a_limit_on_a_score_is_checked_after_training() -> None:
    record = evaluated(limits=["validation_accuracy >= 2"])
    assert record.outcome == "infeasible"
    assert len(record.curve) == 1
    assert "validation_accuracy" in record.figures
    assert record.broken_limits[0].startswith("validation_accuracy >= 2, got 0.")


def test_a_report_that_says_stop_prunes() -> None:
    told = list[Epoch]()
    record = evaluated(budget=Budget(epochs=3, fraction=0.1), report=lambda point: told.append(point) is None)
    assert record.outcome == "pruned"
    assert list(record.curve) == told
    assert record.figures["validation_accuracy"] == told[0].figures["validation_accuracy"]


class Watched:
    """The digits, and which splits were asked for."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.loss = task.loss
        self.meter = task.meter
        self.asked: list[Split] = []

    def examples(self, split: Split) -> Examples:
        self.asked.append(split)
        return self.task.examples(split)


def watched(data: Path | None) -> Watched:
    return Watched(benchmarks.digits.task.load(data))


@pytest.mark.parametrize(("final", "asked"), [(False, ["train", "validation"]), (True, ["train", "validation", "test"])])
def test_test_data_are_read_for_finalists_only(final: bool, asked: list[Split]) -> None:
    evaluate = evaluator(benchmark=replace(BENCHMARK, task=f"{__name__}:watched"))
    record = evaluate(first(evaluate.space), budget=BUDGET, seed=0, final=final)
    assert isinstance(evaluate.task, Watched)
    assert evaluate.task.asked == asked
    assert record.outcome == "complete"
    assert ({"test_accuracy", "test_loss"} <= set(record.figures)) is final
    assert any(name.startswith("test_") for name in record.figures) is final


def test_test_data_are_not_read_for_a_finalist_that_was_stopped() -> None:
    evaluate = evaluator(benchmark=replace(BENCHMARK, task=f"{__name__}:watched"))
    budget = Budget(epochs=2, fraction=0.1)
    record = evaluate(first(evaluate.space), budget=budget, seed=0, final=True, report=lambda _: True)
    assert record.outcome == "pruned"
    assert evaluate.task.asked == ["train", "validation"]


FAILURES = {
    "raising": ("raised", r"ValueError: this layer is broken"),
    "outofgpumemory": ("out_of_memory", r"on cpu: CUDA out of memory\. Tried to allocate 80\.00 GiB\."),
    "outofhostmemory": ("out_of_memory", r"on cpu: .*can't allocate memory: you tried to allocate 4503599627370496 bytes\..*"),
    "exiting": ("exited", r"sys\.exit\(3\) was called\."),
    "poison": ("diverged", r"the loss was nan at step 1 of 2\."),
    "lying": ("raised", r"RuntimeError: .*must have same reduction dim.*"),
}


@pytest.mark.usefixtures("_plugins")
@pytest.mark.parametrize("layer", FAILURES)
def test_a_candidate_that_fails_is_a_record_that_says_why(layer: str) -> None:
    kind, message = FAILURES[layer]
    record = evaluated(TINY, layer, "head")
    assert record.outcome == "failed"
    assert record.error is not None
    assert record.error.kind == kind
    assert re.fullmatch(message, record.error.message)
    assert len(record.error.message) <= 300
    assert not any(name.startswith("validation") for name in record.figures)


@pytest.mark.usefixtures("_plugins")
def test_a_failure_keeps_the_figures_that_were_known_before_it() -> None:
    record = evaluated(TINY, "poison", "head")
    assert set(record.figures) == set(FIGURES)
    assert record.figures["params"] == PARAMS
    assert record.latency is not None


@pytest.mark.usefixtures("_plugins")
def test_after_a_failure_the_next_candidate_is_evaluated_as_if_nothing_had_been() -> None:
    both = "one_of: op\n    options: {poison: {}, raising: {}, conv: {features: 8}}"
    evaluate = evaluator(TINY, both, "head")
    bad, worse, good = (evaluate.space.architecture({"conv.kernel": 3, "op": op}) for op in ("poison", "raising", "conv"))
    alone = evaluate(good, budget=BUDGET, seed=0)
    assert [evaluate(each, budget=BUDGET, seed=0).outcome for each in (bad, worse)] == ["failed", "failed"]
    assert evaluate(good, budget=BUDGET, seed=0).figures["validation_loss"] == alone.figures["validation_loss"]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ((TINY,), "tiny ends in an image of 8×4×4 from conv, a vector of 10 features is wanted; end it in a `head`."),
        (("head", TINY), "conv: conv takes an image, got a vector of 10 features from head; move or replace it."),
        (
            ("conv: {features: 6, groups: 3}", "head"),
            "conv: groups must divide the channels that come in (1), got 3.",
        ),
    ],
)
def test_layers_that_do_not_fit_are_a_record_of_a_wrong_shape(layers: tuple[str, ...], message: str) -> None:
    record = evaluated(*layers)
    assert record.outcome == "failed"
    assert record.error is not None
    assert (record.error.kind, record.error.message) == ("wrong_shape", message)
    assert record.figures == {}


@pytest.mark.usefixtures("_plugins")
@pytest.mark.parametrize(
    "options",
    [
        {"final": True},
        {"limits": ["latency_ms <= 1e-9"]},
        {"report": lambda _: True, "budget": Budget(epochs=2, fraction=0.1, seconds=60)},
        {"layers": (TINY, "poison", "head")},
        {"layers": (TINY, "raising", "head")},
    ],
    ids=["complete", "infeasible", "pruned", "diverged", "raised"],
)
def test_a_record_survives_json(options: dict[str, Any]) -> None:
    record = evaluated(*options.pop("layers", ()), **options)
    assert Record.from_data(json.loads(json.dumps(record.to_data(), allow_nan=False))) == record


@pytest.mark.usefixtures("_plugins")
def test_memory_of_a_candidate_that_ran_out_of_it_is_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing holds the failed pass: neither the record nor the error, its frames and what they held."""
    held: list[weakref.ref[nn.Module]] = []

    def remember(model: nn.Module, device: torch.device) -> nn.Module:
        held.append(weakref.ref(model))
        return place(model, device)

    monkeypatch.setattr("nas.evaluation.running.place", remember)
    gc.disable()  # what only a search for garbage would free is still held
    try:
        record = evaluated(TINY, "outofgpumemory", "head")
        assert record.error is not None
        assert record.error.kind == "out_of_memory"
        assert held
        assert [model() for model in held] == [None] * len(held)
    finally:
        gc.enable()


def test_an_interruption_from_the_keyboard_is_not_a_failure_of_the_candidate() -> None:
    def interrupt(_: Epoch) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluated(report=interrupt)


def test_an_error_of_the_listener_is_not_a_failure_of_the_candidate() -> None:
    def broken(_: Epoch) -> bool:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        evaluated(report=broken)


def test_an_architecture_of_another_space_is_refused() -> None:
    stranger = Architecture("stranger", 1, {})
    with pytest.raises(SpaceError, match="is of 'stranger' version 1"):
        evaluator()(stranger, budget=BUDGET, seed=0)


def test_a_network_that_cannot_be_traced_is_noted_and_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def untraceable(*_: object) -> None:
        raise RuntimeError("no trace")

    monkeypatch.setattr("nas.profiling.flops.second_opinion", untraceable)
    record = evaluated()
    assert record.outcome == "complete"
    assert record.uncounted == {}  # torch's counter knew all
    assert record.notes == ("fvcore could not trace it (RuntimeError); multiply-adds are counted by torch alone.",)


def test_a_second_counter_that_disagrees_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.profiling.flops.second_opinion", lambda *_: (1_000, {"cdist": 1}))
    record = evaluated()
    assert record.figures["macs"] == MACS
    assert record.notes == (f"fvcore counts 1,000 multiply-adds, torch {MACS:,}; the figure is torch's.",)
    assert record.uncounted == {"cdist": 1}
    assert record.outcome == "complete"


@pytest.mark.usefixtures("_plugins")
def test_both_counters_know_recurrent_cells() -> None:
    """32 steps of four gates, each 4 × (4 + 4)."""
    record = evaluated(TINY, "recurrent", "head")
    assert record.figures["macs"] == MACS + 32 * 4 * 4 * (4 + 4)
    assert (record.notes, record.uncounted) == ((), {})


def test_a_benchmark_that_reads_no_folder_refuses_one(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"^digits ships with scikit-learn and reads no folder; leave --data out\.$"):
        evaluator(data=tmp_path)


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("no_such_module:load", "No module named 'no_such_module'"),
        ("benchmarks.digits.task:lode", "module 'benchmarks.digits.task' has no attribute 'lode'"),
    ],
)
def test_a_task_that_cannot_be_loaded_is_named(task: str, reason: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        load_task(replace(BENCHMARK, task=task), None)
    assert str(caught.value) == f"The task '{task}' of digits cannot be loaded: {reason}."


def test_a_device_that_is_no_device_is_refused_before_data_are_read() -> None:
    with pytest.raises(SearchError, match=r"^A device is 'cpu', 'cuda', 'cuda:N' or 'mps', got 'tpu'\.$"):
        evaluator(benchmark=replace(BENCHMARK, task="no_such_module:load"), device="tpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_candidate_is_evaluated_on_the_gpu() -> None:
    evaluate = evaluator(device="cuda")
    record = evaluate(first(evaluate.space), budget=Budget(epochs=4), seed=0, final=True)
    assert record.outcome == "complete"
    assert set(record.figures) == {
        *FIGURES,
        *(f"{split}_{name}" for split in ("validation", "test") for name in ("accuracy", "loss")),
    }
    assert record.machine.accelerator == torch.cuda.get_device_name()
    assert record.figures["validation_accuracy"] > 0.2
    assert record.figures["peak_memory_bytes"] > 0


def test_equal_trainings_have_equal_digests_and_others_other_ones() -> None:
    first_of, again, other = evaluated(), evaluated(), evaluated(seed=1)
    assert first_of.weights_sha256 == again.weights_sha256 != other.weights_sha256
    assert first_of.data_sha256 == other.data_sha256
    assert first_of.network_id == other.network_id
    assert None not in {first_of.weights_sha256, first_of.data_sha256, first_of.network_id}


def test_each_replicate_has_the_digest_that_it_has_alone() -> None:
    evaluate = evaluator(replicates=2)
    both = evaluate(first(evaluate.space), budget=BUDGET, seed=0)
    alone = [evaluated(seed=seed).weights_sha256 for seed in (0, 1)]
    assert [one.weights_sha256 for one in both.replicates] == alone
    assert both.weights_sha256 == alone[0]


def test_what_was_not_trained_has_no_digest_of_weights() -> None:
    record = evaluated(limits=["params <= 1"])
    assert (record.outcome, record.weights_sha256) == ("infeasible", None)
    assert record.network_id is not None


def test_weights_are_kept_where_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = evaluated(weights=tmp_path / "w.safetensors")
    assert digest_tensors(safetensors.torch.load_file(tmp_path / "w.safetensors")) == record.weights_sha256
    monkeypatch.setattr("nas.evaluation.running.LARGEST_KEPT", 10)
    too_large = evaluated(weights=tmp_path / "too_large.safetensors")
    assert too_large.notes[-1] == "The weights are not kept: they take more than 10 bytes."
    assert [file.name for file in tmp_path.iterdir()] == ["w.safetensors"]


@pytest.mark.usefixtures("_plugins")
def test_a_network_whose_state_has_no_digest_is_trained_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    record = evaluated("worded", TINY, "head", weights=tmp_path / "kept" / "w.safetensors")
    assert (record.outcome, record.weights_sha256) == ("complete", None)
    assert record.notes[-1].startswith("The weights are not kept: ")
    assert not list((tmp_path / "kept").iterdir())
