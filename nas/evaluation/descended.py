"""A candidate that is made of other trials."""

import math
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nas.benchmark import Budget
from nas.evaluation.descending import begun, by_method, keep, lineage_of, stored_bytes, told
from nas.evaluation.running import Run, counted_figures
from nas.measures import is_attack
from nas.profiling.latency import measure_latency
from nas.profiling.layers import count_layers
from nas.profiling.memory import peak_memory_bytes
from nas.records import Descent, Outcome
from nas.space import Architecture
from nas.training import (
    Compiler,
    Lineage,
    Protocol,
    Report,
    Split,
    Unsupported,
    become,
    cut_of,
    derivation_of,
    digest_tensors,
    group,
    is_grouped,
)

if TYPE_CHECKING:
    from nas.evaluation.candidate import Evaluator


class Descended(Run):
    """One that is made of other trials: parents' weights → the method → its training, if any → measured as all are."""

    lineage: Lineage

    def __init__(
        self,
        evaluator: "Evaluator",
        descent: Descent,
        architecture: Architecture,
        budget: Budget,
        seed: int,
        *rest: Any,
    ) -> None:
        derivation = derivation_of(descent.method, descent.options)
        _ = evaluator.training, evaluator.validation  # which the copy shares
        own = copy(evaluator)
        own.benchmark = replace(evaluator.benchmark, recipe=derivation.recipe(evaluator.benchmark.recipe))
        own.compiler = Compiler(evaluator.compiler.policy)
        super().__init__(own, architecture, budget, seed, *rest)
        self.descent, self.derivation = descent, derivation
        self.like: nn.Module | None = None
        """What it is built like, of the same architecture: its parent, or what came of cutting it."""
        self.grouped = False
        """Whether its parent, of another architecture, has group normalisation where that says batch normalisation."""
        self.derived = self.gathered["derived"] = begun(derivation, descent)

    def go(self, report: Report, *, final: bool) -> Outcome:
        """Have the method make it of its parents' weights, train it as far as the method asks for, and measure it as all are."""
        evaluator, derivation = self.evaluator, self.derivation
        derivation.check(evaluator.device)
        if not derivation.slopes and any(is_attack(name) for name in evaluator.measures):
            evaluator.measures = tuple(name for name in evaluator.measures if not is_attack(name))
            self.notes.append(f"No attack is measured: gradients do not pass through {self.derived.words}.")
        if not (evaluator.protocol.stackable or evaluator.protocol.ends_plain):
            raise Unsupported(
                f"Nothing is made of networks that the protocol {evaluator.benchmark.protocol!r} trains: it knows more than one "
                "network and the task's loss."
            )
        onward = evaluator.protocol.ends_plain and derivation.needs_weights
        self.reckon()
        self.count()
        trains = derivation.budget(self.budget) is not None
        signature = evaluator.benchmark.signature
        lineage = lineage_of(evaluator.space, signature, self.protocol.setup, self.descent, evaluator.device)
        evaluator.protocol = by_method(Protocol if onward else evaluator.protocol, derivation, lineage)
        del self.__dict__["protocol"]
        if derivation.needs_weights and self.architecture.choices == self.descent.parents[0].choices:
            self.like = lineage.parents[0]
        elif derivation.needs_weights and is_grouped(lineage.parents[0]):
            self.grouped = True
        self.lineage = lineage
        model = self.at_start()
        if cut_of(model):
            self.like = model
            self.count_again(model)
        if trains and self.is_unserved(model):
            return "failed"
        self.heed()
        outcome: Outcome = "complete"
        if trains:
            outcome = self.learn(model, report)
            if onward:
                self.notes.append("It was trained with labels alone, all of it at one rate; nothing was pre-trained for it.")
        if outcome != "complete":
            return outcome
        self.model = model = derivation.finish(model, lineage).eval()
        kept = derivation.kept(model)
        self.figures["size_bytes"] = stored_bytes(kept)
        self.gathered["weights_sha256"] = digest_tensors(kept)
        self.heed()
        latency = measure_latency(model, lineage.inputs)
        self.gathered["latency"] = latency
        self.figures["latency_ms"] = latency.median_ms
        if trains:
            self.figures["peak_memory_bytes"] = peak_memory_bytes(self.make_step, evaluator.device)
        self.derived = self.gathered["derived"] = told(self.derived, derivation, model, lineage, self.descent)
        self.heed()
        splits: tuple[Split, ...] = ("validation", "test") if final else ("validation",)
        for split in splits:
            examples = evaluator.lend(split)
            figures = self.protocol.measure(model, examples, split)
            if not all(map(math.isfinite, figures.values())):
                return self.fail("diverged", f"a {split} figure is not finite.")
            self.figures |= figures
            self.ask(split, examples)
        return "complete"

    def build(self, number: int = 0) -> nn.Module:
        """Its network, grouped as its parent's is."""
        model = super().build(number)
        if self.grouped:
            group(model)
        return model if self.like is None else become(model, self.like)

    def count_again(self, model: nn.Module) -> None:
        """Figures of a network that is narrower than its architecture."""
        with torch.no_grad():
            counts = count_layers(lambda: deepcopy(model).to("meta"), self.evaluator.benchmark.signature.input)
        self.figures |= {**counted_figures(counts), "activation_bytes": counts.activation_bytes}
        self.gathered["uncounted"] = counts.uncounted
        self.gathered["network_id"] = None

    def at_start(self) -> nn.Module:
        """What the method makes of its parents, before any training."""
        return self.derivation.begin(super().at_start(), self.lineage)

    def put(self, model: nn.Module, path: Path) -> None:
        """Write what the method keeps, and note the bytes of the file."""
        written = keep(self.derivation.kept(model), path, model)
        self.derived = self.gathered["derived"] = replace(self.derived, file_bytes=written)
