"""The contracts pass what is right and name what is wrong; every installed space and benchmark is held to them."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

import nas.testing
from benchmarks.digits import BENCHMARK as DIGITS
from benchmarks.digits.task import load as load_digits
from nas import registry
from nas.benchmark import Benchmark, Features, Image, NextTokens, Objective, Recipe, Sequence, Shape, Signature, Tokens
from nas.errors import BenchmarkError, ModelError
from nas.models import Cost, LayerKind, plan
from nas.models.layers.convolution import Conv
from nas.models.layers.sequence_convolution import Conv1d
from nas.searching import resolve_benchmark
from nas.space import Architecture, Integer, Layer, Real, Space, declared, parse_space, resolve_space
from nas.testing import (
    BenchmarkContract,
    LayerContract,
    LayerTrial,
    SpaceContract,
    check_benchmark,
    check_layer,
    check_space,
    default_signatures,
)
from nas.testing.covering import covering, values_of
from nas.training import IGNORED, Classification, Examples, Split, Tagging, Transcription

NEXT = Signature(Tokens(16, 65), NextTokens(16, 65))

BACK = "nothing looks ahead where the next token is wanted"
"""The rule that a space of pictures is not about."""


def installed(group: str) -> list[str]:
    """Names of our own package's."""
    return [name for name, points in registry.owners(group).items() if points[0].dist.name == "nas-harness"]


class TestInstalledSpaces(SpaceContract):
    samples = 6

    @pytest.fixture(params=installed(registry.SEARCH_SPACES), scope="class")  # all rules of one in a row: they share its networks
    @classmethod
    def space(cls, request: pytest.FixtureRequest) -> Space:
        return resolve_space(request.param)

    @pytest.fixture
    def signatures(self, space: Space) -> tuple[Signature, ...]:
        """Language models too, where the space has them."""
        try:
            plan(space, space.sample(random.Random(0)), NEXT)
        except nas.NasError:
            return default_signatures(space)
        return (*default_signatures(space), NEXT)


class TestInstalledBenchmarks(BenchmarkContract):
    @pytest.fixture(params=installed(registry.BENCHMARKS), scope="class")  # all rules of one in a row: they share its data
    @classmethod
    def benchmark(cls, request: pytest.FixtureRequest) -> Benchmark:
        return resolve_benchmark(request.param)


class TestConv(LayerContract):
    @pytest.fixture
    def layer(self) -> LayerTrial:
        options = [{"features": 8}, {"features": 12, "kernel": 5, "stride": 2, "activation": "gelu"}]
        return LayerTrial(kind=Conv, options=options, shapes=[Image(3, 9, 7)])


def problems(found: Any) -> dict[str, str]:
    return {rule: problem for rule, problem in found if problem is not None}


def one_problem(found: Any) -> tuple[str, str]:
    (pair,) = problems(found).items()
    assert len(pair[1].splitlines()) == 1
    return pair


TOY = "{name: toy, version: 1, accepts: image, layers: [conv: {features: [8, 16]}, {pool: {kind: [max, average]}}, head]%s}"


@pytest.fixture
def space_of(tmp_path):
    """Reads a space from a file with a README beside it."""

    def make(text: str) -> Space:
        (tmp_path / "README.md").write_text("# toy")
        (tmp_path / "space.yaml").write_text(text)
        return nas.read_space(tmp_path / "space.yaml")

    return make


def test_a_right_space_breaks_no_rule(space_of) -> None:
    found = list(check_space(space_of(TOY % ', limits: ["params <= 50e3"]'), samples=3))
    assert [rule for rule, _ in found] == [str(rule) for rule in nas.testing.SPACE_RULES if str(rule) != BACK]
    assert problems(found) == {}


class Deaf(LayerKind):
    """Reads one of its two options."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Image,)
    read: float = 1.0
    unread: int = 0

    def output(self, given: Shape, wanted: Shape) -> Shape:
        return given

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        return Cost()

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        return Times(self.read)


class Times(nn.Module):
    """Says nothing of its factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.factor


@pytest.fixture
def layers(monkeypatch):
    """Adds kinds of layers to the vocabulary."""

    def add(**kinds: type[LayerKind]) -> None:
        from nas.models import vocabulary

        known = vocabulary.layer_kind
        for room in ("vocabulary", "planning", "costing"):
            monkeypatch.setattr(f"nas.models.{room}.layer_kind", lambda name: kinds.get(name) or known(name))

    return add


def test_a_choice_that_no_layer_reads_is_named(space_of, layers) -> None:
    layers(deaf=Deaf)
    text = """
name: toy
version: 1
accepts: image
layers:
  - repeat: block
    times: [1, 2]
    layers:
      - deaf: {read: [1.0, 2.0], unread: [0, 1]}
  - head
"""
    rule, problem = one_problem(check_space(space_of(text), samples=3))
    assert rule == "every choice changes the network"
    assert problem.startswith("nothing changes with block.*.deaf.unread; delete what no layer reads")


def test_alternatives_that_are_one_network_are_named(space_of) -> None:
    text = """
name: toy
version: 1
accepts: image
layers:
  - one_of: kind
    options:
      first: [conv: {features: 8}]
      second: [conv: {features: 8}]
  - head
"""
    assert one_problem(check_space(space_of(text), samples=3))[1].startswith("nothing changes with kind;")


class Wrong(Deaf):
    """Counts one parameter too many where it is asked to."""

    unread: bool = False

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        return Cost(params=int(self.unread))

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        return nn.Dropout(0.5) if self.unread else nn.Identity()


def test_a_formula_that_is_wrong_for_one_value_is_found(space_of, layers) -> None:
    layers(wrong=Wrong)
    space = space_of("{name: toy, version: 1, accepts: image, layers: [wrong: {unread: [false, true]}, head]}")
    rule, problem = one_problem(check_space(space, samples=1))
    assert rule == "formulas give what torch counts"
    assert problem.startswith("21 parameters and 10 multiply-adds by formula, 20 and 10 by torch (for an image of 1×8×8: {")


class Raising(Deaf):
    """Fails as it is run."""

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        raise RuntimeError("no\nluck")


def test_a_layer_that_raises_breaks_the_rules_that_build_it_and_no_other(space_of, layers) -> None:
    layers(raising=Raising)
    found = problems(check_space(space_of("{name: toy, version: 1, accepts: image, layers: [raising, head]}"), samples=1))
    assert set(found) == {
        "every value of every choice is built and ends in what is wanted",
        "layers give the shapes that they say",
        "formulas give what torch counts",
        "random architectures run forward and backward with finite gradients",
    }
    assert all(problem.startswith("RuntimeError: no luck (for ") for problem in found.values())


class Infinite(Deaf):
    """Gives what is not finite."""

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        return Times(float("inf"))


class Ahead(LayerKind):
    """Each position sees all."""

    accepts: ClassVar[tuple[type[Shape], ...]] = (Sequence,)

    def output(self, given: Shape, wanted: Shape) -> Shape:
        return given

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        class Mean(nn.Module):
            def forward(self, inputs: Tensor) -> Tensor:
                return inputs + inputs.mean(dim=1, keepdim=True)

        return Mean()


def test_what_is_not_finite_is_found(space_of, layers) -> None:
    layers(infinite=Infinite)
    rule, problem = one_problem(
        check_space(space_of("{name: toy, version: 1, accepts: image, layers: [infinite, head]}"), samples=1)
    )
    assert rule == "random architectures run forward and backward with finite gradients"
    assert problem.startswith("gives what is not finite (for ")


TEXT = "{name: toy, version: 1, accepts: tokens, layers: [{embedding: {features: 8}}, %s, head]}"


def test_a_layer_that_looks_ahead_is_found_without_being_asked_for(space_of, layers) -> None:
    layers(ahead=Ahead)
    rule, problem = one_problem(check_space(space_of(TEXT % "ahead"), samples=1))
    assert rule == BACK
    assert re.match(
        r"gives something else before position \d+ when inputs from there on change \(for 24 tokens of 100: ", problem
    )
    assert problems(check_space(space_of(TEXT % "{conv1d: {features: 8}}"), samples=1)) == {}


def test_architectures_that_cannot_give_the_next_token_hide_none_that_look_ahead(space_of, layers) -> None:
    layers(ahead=Ahead)
    space = space_of(TEXT % "{one_of: kind, options: {short: [conv1d: {features: 8, stride: 2}], ahead: [ahead]}}")
    assert problems(check_space(space, samples=8)).keys() == {BACK}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TOY % "", "the space accepts no tokens"),
        (TEXT % "{conv1d: {features: 8, stride: 2}}", "none of the random architectures can give the next token"),
    ],
)
def test_a_rule_that_nothing_is_about_is_not_told_as_kept(space_of, text, reason) -> None:
    space = space_of(text)
    found = dict(check_space(space, samples=2))
    assert BACK not in found
    assert len(found) == len(nas.testing.SPACE_RULES) - 1
    (rule,) = (rule for rule in nas.testing.SPACE_RULES if str(rule) == BACK)
    with pytest.raises(pytest.skip.Exception, match=f"^{BACK}: not tried, {reason}$"):
        SpaceContract().test_keeps_the_rule(rule, space, default_signatures(space), None)


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ('["parms <= 5"]', "no figure is called 'parms'. Did you mean 'params'?"),
        ('["train_seconds <= 5"]', "'train_seconds <= 5' is on what is known only after training;"),
        (
            '["params <= 100", "latency_ms <= 5"]',
            "No network keeps to params <= 100: the smallest has 178 params; move the limit.",
        ),
        (
            '["params <= 200", "macs >= 6e3"]',
            "no architecture was found that keeps to params <= 200 and macs >= 6000; move a limit.",
        ),
    ],
)
def test_limits_that_cannot_be_kept_to_are_told(space_of, limits, problem) -> None:
    rule, told = one_problem(check_space(space_of(TOY % f", limits: {limits}"), samples=1))
    assert rule == "limits are on figures that are known in time, and can be kept to"
    assert told.startswith(problem)


def test_a_limit_on_a_zero_cost_score_is_known_in_time(space_of) -> None:
    assert not problems(check_space(space_of(TOY % ', limits: ["naswot >= 20"]'), samples=1))


def test_limits_that_few_architectures_keep_to_are_kept_to(space_of) -> None:
    """Each convolution has 1 to 64 features: 44 parameters in four of one feature, and 20 in the head."""
    convolutions = ", ".join(f"{{conv: {{features: {{int: [1, 64]}}}}, name: {name}}}" for name in "abcd")
    text = f'{{name: toy, version: 1, accepts: image, layers: [{convolutions}, head], limits: ["params <= 64"]}}'
    assert problems(check_space(space_of(text), samples=1)) == {}


def test_a_layer_that_gives_another_shape_than_it_says_is_named(space_of, layers) -> None:
    class Halving(Deaf):
        def build(self, given: Shape, wanted: Shape) -> nn.Module:
            return nn.MaxPool2d(2)

    layers(halving=Halving)
    rule, problem = one_problem(
        check_space(space_of("{name: toy, version: 1, accepts: image, layers: [halving, head]}"), samples=1)
    )
    assert rule == "layers give the shapes that they say"
    assert problem.startswith(
        "halving gives (1, 4, 4) where it says (1, 8, 8); mend the layer's `output` (for an image of 1×8×8: {"
    )


def test_a_file_that_stands_alone_needs_no_readme(tmp_path) -> None:
    (tmp_path / "alone.yaml").write_text(TOY % "")
    told = dict(check_space(nas.read_space(tmp_path / "alone.yaml"), samples=1))
    assert "a README stands beside it" not in told


def test_a_space_without_a_readme_is_told_where_to_write_it(space_of, tmp_path) -> None:
    space = space_of(TOY % "")
    (tmp_path / "README.md").unlink()
    assert one_problem(check_space(space, samples=1))[1].startswith(f"{tmp_path}/README.md is missing or empty; write")
    told = one_problem(check_space(parse_space(TOY % ""), samples=1))[1]
    assert told == "a space that was read from no file has no folder to look in; give the file's path (fixture `readme`)."


class Turning(Space):
    """Samples something else each time."""

    turns: ClassVar[list[int]] = []

    def sample(self, rng: random.Random) -> Architecture:
        self.turns.append(0)
        return super().sample(random.Random(len(self.turns)))


def test_a_space_that_forgets_its_seeds_is_found(tmp_path) -> None:
    (tmp_path / "README.md").write_text("# toy")
    space = Turning(
        name="toy", version=1, accepts=("image",), layers=(Layer("conv", {"features": Integer(1, 4_096)}), Layer("head"))
    )
    found = problems(check_space(space, samples=3, readme=tmp_path / "README.md"))
    assert found["equal seeds give equal architectures"] == "the architecture of seed 0 is another one when it is drawn again."
    assert "in another process; leave out what Python orders by hash" in found["ids are the same in another process"]


def test_covering_architectures_have_every_value_of_every_choice() -> None:
    space = resolve_space("residual_cnn")
    found = covering(space)
    met = {(name, value) for architecture in found for name, value in architecture.choices.items()}
    rng = random.Random(1)
    for _ in range(500):
        assert set(space.sample(rng).choices.items()) <= met
    assert len(found) < 40


DEEP = """
name: deep
version: 1
accepts: image
choices: {on: [false, true, 1]}
layers:
  - one_of: a
    options:
      plain: []
      more:
        - one_of: b
          options:
            plain: []
            more:
              - one_of: c
                options:
                  plain: []
                  more: [conv: {features: [1, 2, 3], odd: $on, share: {real: [0, 1]}, width: {int: [1, 1000], log: true}}]
"""


def test_covering_reaches_what_stands_behind_several_choices() -> None:
    met = {(name, type(value), value) for one in covering(parse_space(DEEP)) for name, value in one.choices.items()}
    conv = "a.more.b.more.c.more.conv"
    assert {(f"{conv}.features", int, n) for n in (1, 2, 3)} <= met
    assert {("on", bool, False), ("on", bool, True), ("on", int, 1)} <= met
    assert {(f"{conv}.share", float, share) for share in (0.0, 0.5, 1.0)} <= met
    assert {(f"{conv}.width", int, width) for width in (1, 31, 1_000)} <= met


def test_of_a_long_range_the_ends_and_the_middle_are_tried() -> None:
    assert values_of(Integer(0, 3)) == [3, 2, 1, 0]
    assert values_of(Integer(8, 800, step=8)) == [800, 8, 400]
    assert values_of(Real(0.01, 1.0, log=True)) == [1.0, 0.01, pytest.approx(0.1)]


def test_turns_of_a_repeat_are_one_declared_choice() -> None:
    assert declared("stage.0.block.12.kind") == declared("stage.3.block.1.kind") == "stage.*.block.*.kind"
    assert declared("cell.edge_0_1") == "cell.edge_0_1"


@pytest.mark.parametrize(
    ("kind", "shapes", "rule"),
    [
        (Wrong, [Image(1, 4, 4)], "its formula gives what torch counts"),
        (Raising, [Image(1, 4, 4)], "it runs forward and backward with finite gradients"),
        (Deaf, [Sequence(4, 4)], "it is tried on shapes that it accepts"),
        (Ahead, [Sequence(8, 4)], "it does not look ahead where the next token is wanted"),
    ],
)
def test_a_wrong_layer_breaks_its_rule(kind, shapes, rule) -> None:
    options = [{"unread": True}] if kind is Wrong else [{}]
    trial = LayerTrial(kind=kind, options=options, shapes=shapes, wanted=[Features(3), NextTokens(8, 5)])
    assert rule in problems(check_layer(trial))


def test_a_layer_that_shortens_a_text_is_not_held_to_positions_it_has_not() -> None:
    back = "it does not look ahead where the next token is wanted"
    options = [{"features": 4, "kernel": 3, "stride": 2}]
    short = LayerTrial(kind=Conv1d, options=options, shapes=[Sequence(8, 4)], wanted=[NextTokens(8, 5)])
    assert problems(check_layer(short)) == {}
    assert back not in dict(check_layer(short))
    assert dict(check_layer(replace(short, options=[{"features": 4, "kernel": 3}])))[back] is None


class Scaled(Deaf):
    """Has plain forms, and options that cost nothing, which are right where it is not asked to lie."""

    costless: ClassVar[frozenset[str]] = frozenset({"read"})

    def plain(self, given: Shape, wanted: Shape) -> LayerKind | None:
        return None if self.read == 1.0 else self.model_copy(update={"unread": 0})


class Hasty(Scaled):
    """Takes a factor for none."""

    def plain(self, given: Shape, wanted: Shape) -> LayerKind | None:
        return None


class Forgetful(Scaled):
    """Takes all factors for one."""

    def plain(self, given: Shape, wanted: Shape) -> LayerKind | None:
        return self.model_copy(update={"read": 1.0})


class Dearer(Scaled):
    """Costs less in its plain form."""

    def plain(self, given: Shape, wanted: Shape) -> LayerKind | None:
        return self.model_copy(update={"unread": 0})

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        return Cost(params=self.unread)


class Costly(Scaled):
    """Counts what it says costs nothing."""

    def cost(self, given: Shape, wanted: Shape) -> Cost:
        return Cost(macs=int(self.read))


class Hidden(Scaled):
    """Has weights with another option than those on trial, and counts them not."""

    def build(self, given: Shape, wanted: Shape) -> nn.Module:
        return Times(self.read) if self.read == 3.0 else nn.Conv2d(1, 1, 1)


class Narrow(Scaled):
    """Fits with one factor only."""

    def output(self, given: Shape, wanted: Shape) -> Shape:
        if self.read != 3.0:
            raise ModelError(f"read is 3, got {self.read}.")
        return given


class Misspelt(Scaled):
    """Names an option that it has not."""

    costless: ClassVar[frozenset[str]] = frozenset({"raed"})


PLAIN = "its `plain` form is the same network"
COSTLESS = "its `costless` options change neither what it gives nor what it costs"


@pytest.mark.parametrize(
    ("kind", "rule", "problem"),
    [
        (Hasty, PLAIN, "it gives other numbers than its `plain` form, nothing, at equal weights ("),
        (Forgetful, PLAIN, "it gives other numbers than its `plain` form, Forgetful(read=1.0, unread=2), at equal weights ("),
        (
            Dearer,
            PLAIN,
            "it gives an image of 1×4×4 for 2 parameters and 0 multiply-adds, its `plain` form, Dearer(read=3.0, unread=0), "
            "an image of 1×4×4 for 0 parameters and 0 multiply-adds (",
        ),
        (
            Costly,
            COSTLESS,
            "read is said to be `costless`, and with 0 it gives an image of 1×4×4 for 0 parameters and 0 multiply-adds, not an ",
        ),
        (Hidden, COSTLESS, "read is said to be `costless`, and with 0 it gives an image of 1×4×4 for 0 parameters and 0 mul"),
        (Narrow, COSTLESS, "read is said to be `costless`, and with 0 it does not fit: read is 3, got 0.0. ("),
        (Misspelt, COSTLESS, "its `costless` names 'raed', which is none of its options."),
    ],
)
def test_what_a_layer_says_of_its_options_is_held_to(kind, rule, problem) -> None:
    trial = LayerTrial(kind=kind, options=[{"read": 3.0, "unread": 2}], shapes=[Image(1, 4, 4)])
    assert problems(check_layer(trial))[rule].startswith(problem)


def test_a_layer_that_says_rightly_which_options_matter_keeps_the_rules() -> None:
    options = [{"read": 3.0, "unread": 2}, {"read": 1.0}]
    found = dict(check_layer(LayerTrial(kind=Scaled, options=options, shapes=[Image(1, 4, 4)])))
    assert set(found.values()) == {None}
    assert {PLAIN, COSTLESS} <= set(found)
    assert COSTLESS not in dict(check_layer(LayerTrial(kind=Deaf, shapes=[Image(1, 4, 4)])))


def test_a_layer_whose_output_is_not_what_it_gives_is_found() -> None:
    class Pooled(Deaf):
        """Gives less than it says."""

        def build(self, given: Shape, wanted: Shape) -> nn.Module:
            return nn.MaxPool2d(2)

    found = problems(check_layer(LayerTrial(kind=Pooled, shapes=[Image(1, 4, 4)])))
    assert found["what it gives is what its `output` says"].startswith("gives (1, 2, 2), its `output` says an image of 1×4×4 (")


def bad_digits(change: str) -> Any:
    """The digits with one thing wrong."""
    task = load_digits(None)

    def examples(split: str) -> Examples:
        found = task.examples("train" if change == "overlap" and split == "test" else split)  # type: ignore[arg-type]
        if change == "shape":
            return Examples(found.inputs[:, :, :7], found.targets)
        if change == "classes":
            return Examples(found.inputs, found.targets + 1)
        if change == "chance":
            return Examples(found.inputs + torch.rand(1), found.targets)
        if change == "double":
            return Examples(found.inputs.double(), found.targets)
        return found

    class Greedy(Classification):
        def loss(self, outputs: Tensor, targets: Tensor, smoothing: float) -> Tensor:
            self.examples("test")
            return super().loss(outputs, targets, smoothing)

    return (Greedy if change == "greedy" else Classification)(examples)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("shape", "train has inputs of (1, 7, 8), the signature says an image of 1×8×8."),
        ("double", "train has inputs of torch.float64; an image of 1×8×8 is torch.float32."),
        ("classes", "train has classes from 1 to 10, the signature wants a vector of 10 features."),
        ("overlap", "1,078 of 1,078 examples of test stand in train too."),
        ("chance", "train holds other examples when it is loaded again; draw them by a seed."),
        ("greedy", "the test data are read while a model is trained; only finalists meet them."),
    ],
)
def test_a_wrong_benchmark_breaks_its_rule(monkeypatch, change, problem) -> None:
    monkeypatch.setattr("benchmarks.digits.task.load", lambda _: bad_digits(change))
    assert problem in problems(check_benchmark(DIGITS)).values()


def test_an_objective_that_is_not_measured_and_an_empty_licence_are_found() -> None:
    wrong = replace(DIGITS, objectives=(Objective("validation_beauty", "maximize"),), licence=" ")
    assert problems(check_benchmark(wrong)) == {
        "it says what it is, where its data come from and under which licence": "its licence is empty.",
        "what it steers by is measured": "its objective 'validation_beauty' is not measured; the task gives validation_accuracy, "
        "validation_loss.",
    }


def test_an_option_that_a_benchmarks_protocol_has_not_is_found() -> None:
    wrong = replace(DIGITS, protocol_options={"epochs": 5})
    assert problems(check_benchmark(wrong)) == {
        "its protocol knows what it is told": "digits: the protocol 'supervised' has no options, got 'epochs'; leave "
        "protocol_options out."
    }


def test_an_objective_that_runs_the_wrong_way_is_found() -> None:
    wrong = replace(DIGITS, objectives=(Objective("validation_loss", "maximize"),))
    assert problems(check_benchmark(wrong)) == {
        "what it steers by is measured": "it would maximize 'validation_loss'; better is to minimize it."
    }


def tagging(monkeypatch: pytest.MonkeyPatch, tags: Callable[[Tensor], Tensor]) -> Benchmark:
    """A tag for each of 6 positions, `tags` of the positions' first channel."""

    def examples(split: Split) -> Examples:
        generator = torch.Generator().manual_seed(("train", "validation", "test").index(split))
        inputs_NLC = torch.randn(40, 6, 2, generator=generator)
        return Examples(inputs_NLC, tags(inputs_NLC[:, :, 0]))

    monkeypatch.setattr("benchmarks.digits.task.load", lambda _: Tagging(examples, metrics=("f1",)))
    signature = Signature(Sequence(6, 2), Sequence(6, 2))
    return replace(
        DIGITS,
        classes=(),
        signature=signature,
        objectives=(Objective("validation_f1", "maximize"),),
        recipe=Recipe(batch_size=8, learning_rate=0.01),
    )


def test_a_benchmark_of_tags_may_leave_positions_out(monkeypatch) -> None:
    benchmark = tagging(monkeypatch, lambda first_NL: (first_NL > 0).long().where(first_NL > -1, IGNORED))
    assert problems(check_benchmark(benchmark)) == {}


@pytest.mark.parametrize(
    ("tag", "problem"), [(IGNORED, "train has no class that counts"), (-1, "train has classes from -1 to -1")]
)
def test_a_benchmark_of_tags_without_a_class_that_counts_is_found(monkeypatch, tag: int, problem: str) -> None:
    found = problems(check_benchmark(tagging(monkeypatch, lambda first_NL: torch.full_like(first_NL, tag).long())))
    assert found["targets are as the signature says"].startswith(problem)


@pytest.mark.parametrize("given", [Sequence(24, 2), Image(2, 4, 9)])
def test_a_benchmark_of_texts_is_held_to_the_rules(monkeypatch, given: Shape) -> None:
    """Of one to three letters, read from more positions, or pixels, than the output has."""

    def examples(split: Split) -> Examples:
        generator = torch.Generator().manual_seed(("train", "validation", "test").index(split))
        inputs = torch.randn(40, *given.axes, generator=generator)
        texts_NL = torch.randint(1, 4, (40, 6), generator=generator)
        lengths_N1 = torch.randint(1, 4, (40, 1), generator=generator)
        return Examples(inputs, texts_NL.where(torch.arange(6) < lengths_N1, IGNORED))

    monkeypatch.setattr("benchmarks.digits.task.load", lambda _: Transcription(examples, alphabet="abc"))
    benchmark = replace(
        DIGITS,
        classes=(),
        signature=Signature(given, Sequence(6, 4)),
        objectives=(Objective("validation_character_error_rate", "minimize"),),
        recipe=Recipe(batch_size=8, learning_rate=0.01),
    )
    assert problems(check_benchmark(benchmark)) == {}


def test_a_task_that_is_nowhere_is_told_in_one_line() -> None:
    found = problems(check_benchmark(replace(DIGITS, task="no_such_module:load")))
    assert found["inputs are as the signature says"].startswith(
        "The task 'no_such_module:load' of digits cannot be loaded: No module"
    )
    assert found["a README stands beside its task"].startswith("its task is in no file")


def test_missing_data_skip_the_contract_and_damaged_data_fail_it(tmp_path) -> None:
    shakespeare = resolve_benchmark("tiny_shakespeare")
    (rule,) = (rule for rule in nas.testing.BENCHMARK_RULES if str(rule) == "inputs are as the signature says")
    with pytest.raises(pytest.skip.Exception, match=r"^tiny-shakespeare\.txt is not in "):
        BenchmarkContract().test_keeps_the_rule(rule, shakespeare, tmp_path, None)
    (tmp_path / "tiny-shakespeare.txt").write_text("First Citizen:")
    with pytest.raises(BenchmarkError, match=r"has 14 with 0 of other kinds; fetch it again"):
        BenchmarkContract().test_keeps_the_rule(rule, shakespeare, tmp_path, None)


def test_the_surface_is_what_all_says() -> None:
    assert all(hasattr(nas.testing, name) for name in nas.testing.__all__)
    assert dir(nas.testing) == sorted(nas.testing.__all__)
    with pytest.raises(AttributeError, match=r"^module 'nas\.testing' has no attribute 'Contract'$"):
        nas.testing.Contract  # noqa: B018


def test_rules_are_told_without_pytest() -> None:
    import subprocess
    import sys

    program = "import sys, nas.testing; nas.testing.check_space; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
