from typing import Any

import pytest
import torch
from little import examples, linear, trained
from torch import Tensor, nn

from nas.benchmark import Budget, Recipe
from nas.errors import SearchError
from nas.training import Compiler, Loop, compiling

LONG = Budget(epochs=30)
"""90 steps."""


class Pretended(nn.Module):
    """Stands for a compiled network, and takes its time."""

    seconds = 0.0

    def __init__(self, model: nn.Module, notes: list[str], *, sizes_vary: bool) -> None:
        super().__init__()
        self.sizes_vary = sizes_vary
        self.model = model
        self.calls = 0
        made.append(self)

    def forward(self, inputs: Tensor) -> Tensor:
        self.calls += 1
        clock.now += self.seconds
        found: Tensor = self.model(inputs)
        return found


class Clock:
    """Time that passes where it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        self.now += 1.0  # a step of one second, and what the network takes beside it
        return self.now


made: list[Pretended] = []
clock = Clock()


@pytest.fixture(autouse=True)
def _pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    made.clear()
    monkeypatch.setattr(compiling, "_Compiled", Pretended)
    monkeypatch.setattr(compiling, "time", clock)
    monkeypatch.setattr(Pretended, "seconds", 0.0)


def follow(compiler: Compiler, budget: Budget = LONG, **given: Any) -> list[str]:
    following = []

    def begin(loop: Loop) -> None:
        following.append(compiler.follow(loop))

    training = trained(linear(), budget=budget, begin=begin, on_step=lambda loop: following[0](loop), **given)
    return list(training.notes)


def test_a_step_that_compiling_makes_slower_is_eager_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pretended, "seconds", 0.5)
    compiler = Compiler("auto")
    compiler.seconds.append(1.0)  # so little that it is tried
    assert follow(compiler) == ["Compiling took 0 s, a compiled step 1.50 of an eager one: left again."]
    assert len(made) == 1
    assert made[0].calls < 30
    assert compiler.shares == [1.5]
    assert follow(compiler) == []
    assert len(made) == 1, "it was tried once more, though it did not pay"


def test_a_step_that_compiling_makes_faster_stays_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pretended, "seconds", -0.5)
    compiler = Compiler("auto")
    compiler.seconds.append(1.0)
    assert follow(compiler) == ["Compiling took 0 s, a compiled step 0.50 of an eager one: kept."]
    assert made[0].calls > 50


def test_nothing_is_compiled_where_the_steps_ahead_do_not_pay_for_it() -> None:
    compiler = Compiler("auto")
    assert follow(compiler) == []
    assert made == []


@pytest.mark.parametrize(
    ("seconds", "shares", "ahead", "pays"),
    [
        ([], [], 899, False),  # 45 s are more than a twentieth of it
        ([], [], 901, True),
        ([20], [], 401, True),
        ([20], [0.5], 39, False),  # 20 s for 19.5
        ([20], [0.5], 41, True),
        ([20], [1.1], 1e9, False),
        ([10, 20, 90], [0.2, 0.5, 1.5], 41, True),
    ],
)
def test_compiling_pays_by_what_is_known_of_it(seconds: list[float], shares: list[float], ahead: float, pays: bool) -> None:
    compiler = Compiler("auto")
    compiler.seconds, compiler.shares = list(seconds), list(shares)
    assert compiler.pays(ahead) is pays


def test_always_compiles_from_the_first_step_and_never_does_not() -> None:
    follow(Compiler("always"), Budget(epochs=1))
    assert [one.calls for one in made] == [3]
    follow(Compiler("never"))
    assert len(made) == 1


@pytest.mark.parametrize(
    ("given", "vary"),
    [
        ({"on": examples(48)}, False),  # three batches of 16
        ({"on": examples(40)}, True),  # 14, 13, 13
        ({"on": examples(48), "recipe": Recipe(batch_size=16, learning_rate=0.01, accumulation=3)}, True),  # 6, 5, 5
    ],
)
def test_a_network_is_compiled_for_any_size_where_batches_or_their_parts_differ(given: dict[str, Any], vary: bool) -> None:
    follow(Compiler("always"), **given)
    assert [one.sizes_vary for one in made] == [vary]


def test_steps_are_timed_to_the_end_of_a_devices_work_until_it_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(compiling, "synchronize", waited.append)
    follow(Compiler("auto"))
    assert compiling.WARM_STEPS + compiling.LOOK_AFTER <= len(waited) < 30
    waited.clear()
    follow(Compiler("never"))
    assert waited == []


def test_without_a_compiler_always_is_refused_and_auto_is_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compiling, "compiling_problem", lambda: "torch.compile needs a C++ compiler, and none is there; install one."
    )
    with pytest.raises(SearchError, match=r"^torch.compile needs a C\+\+ compiler, .* Or take --compile never.$"):
        Compiler("always")
    compiler = Compiler("auto")
    compiler.seconds.append(1.0)
    assert follow(compiler) == []
    assert made == []


class TestReally:
    """Through torch's own compiler; one small network, which takes some seconds."""

    @pytest.fixture(autouse=True)
    def _really(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()

    def test_a_compiled_network_learns_what_an_eager_one_does(self) -> None:
        compiled, eager = linear(), linear()
        compiler, following = Compiler("always"), []
        step = {"begin": lambda loop: following.append(compiler.follow(loop)), "on_step": lambda loop: following[0](loop)}
        training = trained(compiled, budget=Budget(epochs=1), **step)
        trained(eager, budget=Budget(epochs=1))
        assert training.notes == ()
        assert all(torch.allclose(*pair, atol=1e-5) for pair in zip(compiled.parameters(), eager.parameters(), strict=True))

    def test_a_network_that_cannot_be_compiled_is_trained_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise torch._dynamo.exc.BackendCompilerFailed(linear, RuntimeError("no"), None)

        monkeypatch.setattr(torch, "compile", lambda _, **__: refuse)
        notes: list[str] = []
        network = compiling._Compiled(linear(), notes, sizes_vary=False)
        inputs = examples().inputs
        assert torch.equal(network(inputs), linear()(inputs))
        assert torch.equal(network(inputs), linear()(inputs))
        assert notes == ["Could not be compiled (BackendCompilerFailed); it was trained without."]

    def test_the_ninth_network_of_a_kind_is_compiled_too(self, compilations: list[int]) -> None:
        with torch._dynamo.config.patch(recompile_limit=8):  # torch's own, which timm has lifted
            for layers in range(1, 13):  # those that differ in a width alone would share one
                network = nn.Sequential(nn.Flatten(), *(nn.Linear(16, 16) for _ in range(layers)))
                compiling._Compiled(network, [], sizes_vary=False)(examples().inputs)
        assert len(compilations) == 12

    @pytest.mark.parametrize(("sizes_vary", "times"), [(False, 2), (True, 1)])
    def test_batches_of_two_sizes_are_compiled_for_once(self, compilations: list[int], sizes_vary: bool, times: int) -> None:
        network = compiling._Compiled(linear(), [], sizes_vary=sizes_vary)
        for size in (14, 13, 14):
            network(examples(size).inputs)
        assert len(compilations) == times

    @pytest.fixture
    def compilations(self, _really: None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """One entry for each graph that torch.compile would have compiled."""
        graphs: list[int] = []
        really = torch.compile

        def note(graph: Any, _: Any) -> Any:
            graphs.append(len(graphs))
            return graph.forward

        monkeypatch.setattr(torch, "compile", lambda module, **options: really(module, backend=note, **options))
        return graphs
