"""Training through torch.compile: what it costs, and whether the steps ahead pay for it.

On a CPU with one thread compiling takes tens of seconds a network, and a compiled step of the built-in spaces takes 0.97 to 1.22
of an eager one, so that it hardly ever pays there. Compiled kernels round otherwise than eager ones: equal seeds give equal
weights among compiled trainings or among eager ones, and where time decides (`auto`) neither is promised.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nas.device import compiled, compiling_problem, synchronize
from nas.errors import SearchError
from nas.training.loop import Loop

Compile = Literal["never", "auto", "always"]

LOOK_AFTER = 10
"""Steps after which the time of an eager step is known, and after compiling that of a compiled one."""

WARM_STEPS = 3
"""First steps of either kind, which are not timed: the first compiles."""

FIRST_TRY = 0.05
"""Largest share of the eager time ahead that compiling may cost where nothing is known of what it brings."""

ASSUMED_SECONDS = 45.0
"""What compiling costs, until it is measured."""


class Compiler:
    """Decides for one training after another, and learns from each what compiling costs and brings on this device."""

    def __init__(self, policy: Compile) -> None:
        """Decide by `policy`.

        Raises:
            SearchError: everything is to be compiled, and there is no C++ compiler to do it with.
        """
        self.policy = policy
        self.problem = None if policy == "never" else compiling_problem()
        if policy == "always" and self.problem:
            raise SearchError(f"{self.problem} Or take --compile never.")
        self.seconds: list[float] = []
        """That compiling took, by training."""
        self.shares: list[float] = []
        """Time of a compiled step as a share of that of an eager one, by training."""

    def follow(self, loop: Loop) -> Callable[[Loop], None]:
        """What is called after every step of `loop`, from its first on."""
        return _Following(self, loop)

    def pays(self, ahead_seconds: float) -> bool:
        """Whether compiling will likely save time in a training that has `ahead_seconds` of eager steps before it.

        Where no compiled step was timed yet, it is tried if it costs little beside them, whatever it brings.
        """
        seconds = median(self.seconds) if self.seconds else ASSUMED_SECONDS
        if not self.shares:
            return seconds <= FIRST_TRY * ahead_seconds
        return seconds + median(self.shares) * ahead_seconds < ahead_seconds


class _Following:
    """One training: eager at first, compiled if that pays, and eager again if it does not."""

    def __init__(self, compiler: Compiler, loop: Loop) -> None:
        self.compiler = compiler
        self.stepper = loop.stepper
        self.eager = loop.stepper.called
        self.sizes_vary = len(loop.training) % (loop.per_epoch * loop.ranks.size * loop.stepper.parts) > 0
        self.state: Literal["eager", "compiled", "decided"] = "eager"
        self.times: list[float] = []
        self.eager_seconds = 0.0
        self.last = time.perf_counter()
        if not loop.stepper.method.whole:
            self.state = "decided"
            if compiler.policy != "never":
                self.stepper.notes.append("It was not compiled: what is trained is not called as a whole.")
        elif compiler.policy == "always":
            self.compile()
            self.state = "decided"
        elif compiler.policy == "never" or compiler.problem:
            self.state = "decided"

    def __call__(self, loop: Loop) -> None:
        if self.state == "decided":
            return
        synchronize(loop.device)  # else it is the time in which a GPU was told what to do
        now = time.perf_counter()
        if loop.at.batch > 1:  # the first batch of an epoch comes after a validation
            self.times.append(now - self.last)
        self.last = now
        if len(self.times) < WARM_STEPS + LOOK_AFTER:
            return
        seconds = median(self.times[WARM_STEPS:])
        if self.state == "eager":
            self.eager_seconds = seconds
            self.state = "decided"
            if self.compiler.pays(seconds * (loop.steps - loop.at.step)):
                self.compile()
                self.state = "compiled"
        else:
            self.judge(seconds)
        self.times.clear()

    def compile(self) -> None:
        """Let the next step go through torch.compile."""
        self.stepper.called = _Compiled(self.eager, self.stepper.notes, sizes_vary=self.sizes_vary)

    def judge(self, seconds: float) -> None:
        """Keep the faster of the two; remember what compiling cost and brought."""
        cost = sum(self.times[:WARM_STEPS]) - WARM_STEPS * seconds
        share = seconds / self.eager_seconds
        self.compiler.seconds.append(cost)
        self.compiler.shares.append(share)
        kept = "kept" if share < 1 else "left again"
        self.stepper.notes.append(f"Compiling took {cost:.0f} s, a compiled step {share:.2f} of an eager one: {kept}.")
        if share >= 1:
            self.stepper.called = self.eager
        self.state = "decided"


class _Compiled(nn.Module):
    """A network through torch.compile, or as it is where it cannot be compiled.

    Where batches differ in size it is compiled for any size at once, and not anew for the second.
    """

    def __init__(self, model: nn.Module, notes: list[str], *, sizes_vary: bool) -> None:
        super().__init__()
        self.model = model
        self.notes = notes
        self.sizes_vary = sizes_vary
        self.compiled: Callable[..., Any] | None = compiled(model)

    def forward(self, inputs: Tensor) -> Tensor:
        """What the network makes of a batch."""
        if self.compiled is not None:
            if self.sizes_vary:
                torch._dynamo.maybe_mark_dynamic(inputs, 0)
            try:
                return self.compiled(inputs)  # type: ignore[no-any-return]
            except torch._dynamo.exc.TorchDynamoException as error:
                self.compiled = None
                self.notes.append(f"Could not be compiled ({type(error).__name__}); it was trained without.")
        return self.model(inputs)  # type: ignore[no-any-return]
