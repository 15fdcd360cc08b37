"""What a search space must keep to, rule by rule."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from nas import registry
from nas.benchmark import Features, Image, Modalities, NextTokens, Query, Sequence, Signature, Tokens, Waveform
from nas.errors import ModelError, NasError, did_you_mean
from nas.models import Cost, CostFold, Within, build, check_layers, cost, example, is_of_training, plan
from nas.records import FIGURES, SCORES
from nas.space import (
    Architecture,
    Space,
    declared,
    parse_space,
    readme_beside,
    resolve_space,
    space_from_data,
    space_to_data,
    space_to_yaml,
)
from nas.testing import rules
from nas.testing.covering import alternatives, covering
from nas.testing.networks import differs, is_causal_question, looks_ahead, trained_step, weigh
from nas.testing.rules import NotTried, Rule, unwritten

SAMPLES = 50
"""Random architectures that run forward and backward, unless told otherwise."""

MOST_CONTEXTS = 8
"""Architectures in which a choice is changed before it counts as one that changes nothing."""

_SIGNATURES = {
    "image": (Signature(Image(1, 8, 8), Features(10)), Signature(Image(3, 33, 29), Features(7))),
    "sequence": (Signature(Sequence(29, 12), Features(9)),),
    "tokens": (Signature(Tokens(24, 100), Features(2)),),
    "query": (Signature(Query(11, 3), Features(11)),),
    "waveform": (Signature(Waveform(length=4_000, channels=1, rate=8_000), Features(10)),),
    "features": (Signature(Features(12), Features(3)),),
    "modalities": (Signature(Modalities.of(image=Image(3, 8, 8), text=Tokens(24, 100), sound=Image(1, 16, 16)), Features(10)),),
}

NEXT = Signature(Tokens(24, 100), NextTokens(24, 100))
"""Asked of a space that accepts tokens, to see whether its networks look ahead, unless it is tried on such a question anyway."""


PIECES = Signature(Tokens(24, 30_522), Features(2))
"""Asked of a space that accepts tokens, but BERT's pieces of words alone."""

GENERATING = (Signature(Features(12), Image(1, 8, 8)), Signature(Features(12), Image(3, 13, 11)))
"""Asked of a space that accepts features and ends in a picture."""


def default_signatures(space: Space) -> tuple[Signature, ...]:
    """Small questions to classifiers, or to generators of pictures, of every kind of input that `space` accepts."""
    usual = tuple(signature for kind in space.accepts for signature in _SIGNATURES[kind])
    if "features" in space.accepts and _takes(space, GENERATING[0]):  # else it ends in no picture, or in nothing at all
        return GENERATING
    if space.accepts == ("tokens",) and not _takes(space, usual[0]) and _takes(space, PIECES):
        return (PIECES,)
    return usual


def _takes(space: Space, signature: Signature) -> bool:
    """Whether a network of the space is an answer to it; why one is none is told by the rules."""
    try:
        plan(space, space.sample(random.Random(0)), signature)  # noqa: S311 - no secret
    except NasError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class SpaceTrial:
    """A space, and what it is tried on; what several rules need is worked out once."""

    space: Space
    signatures: tuple[Signature, ...]
    samples: int = SAMPLES
    readme: Path | None = None

    @cached_property
    def sampled(self) -> tuple[Architecture, ...]:
        """Random architectures, by the seeds from 0 on."""
        return tuple(self.space.sample(random.Random(seed)) for seed in range(self.samples))  # noqa: S311 - no secret

    @cached_property
    def covering(self) -> tuple[Architecture, ...]:
        """Architectures that have every value of every choice between them."""
        return covering(self.space)

    @cached_property
    def weighed(self) -> tuple[tuple[Architecture, Signature, tuple[int, ...], Cost], ...]:
        """Each architecture of `covering` at each signature: the axes of what it gives, and what torch counts."""
        found = []
        for architecture in self.covering:
            for signature in self.signatures:
                with _at(architecture, signature):
                    with torch.device("meta"):
                        model = build(self.space, architecture, signature)
                    found.append((architecture, signature, *weigh(model, signature.input)))
        return tuple(found)


@contextmanager
def _at(architecture: Architecture, signature: Signature) -> Iterator[None]:
    """Whatever is raised within it, with the architecture that it is about."""
    try:
        yield
    except NasError as error:
        raise ModelError(f"{error} {_shown(architecture, signature)}") from error
    except Exception as error:  # a layer may raise anything
        raise ModelError(f"{type(error).__name__}: {str(error)[:300]} {_shown(architecture, signature)}") from error


def _shown(architecture: Architecture, signature: Signature) -> str:
    choices = json.dumps(dict(architecture.choices))
    return f"(for {signature.input}: {choices if len(choices) <= 500 else choices[:497] + '...'})"


def _vocabulary(trial: SpaceTrial) -> None:
    check_layers(trial.space)


def _seeds(trial: SpaceTrial) -> str | None:
    again = replace(trial).sampled
    for seed, (one, other) in enumerate(zip(trial.sampled, again, strict=True)):
        if one != other or trial.space.architecture(one.choices) != one:
            return f"the architecture of seed {seed} is another one when it is drawn again."
    return None


_PROGRAM = """
import json, random, sys
from nas.space import resolve_space, space_from_data
asked = json.load(sys.stdin)
space = resolve_space(asked["name"], []) if asked["name"] else space_from_data(asked["space"])
print(json.dumps([space.sample(random.Random(seed)).id for seed in range(asked["samples"])]))
"""


def _processes(trial: SpaceTrial) -> str | None:
    name = trial.space.name if _installed(trial.space) else ""
    asked = json.dumps({"name": name, "space": space_to_data(trial.space), "samples": trial.samples})
    environment = {**os.environ, "PYTHONHASHSEED": "4242", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, env=environment, timeout=120, check=False)  # noqa: S603
    if done.returncode:
        return f"another process cannot make it: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}"
    ids = json.loads(done.stdout.splitlines()[-1])
    for architecture, other in zip(trial.sampled, ids, strict=True):
        if architecture.id != other:
            return f"{architecture.id} is {other} in another process; leave out what Python orders by hash, such as sets."
    return None


def _installed(space: Space) -> bool:
    try:
        return space.name in registry.owners(registry.SEARCH_SPACES) and resolve_space(space.name, []) == space
    except NasError:
        return False


def _json(trial: SpaceTrial) -> str | None:
    for architecture in (*trial.sampled, *trial.covering):
        back = Architecture.from_data(json.loads(json.dumps(architecture.to_data())))
        if back.id != architecture.id or trial.space.architecture(back.choices) != architecture:
            return f"{architecture.id} comes back as {back.id}."
    if space_from_data(json.loads(json.dumps(space_to_data(trial.space)))) != trial.space:
        return "the space comes back as another one."
    return None


def _yaml(trial: SpaceTrial) -> str | None:
    return None if parse_space(space_to_yaml(trial.space)) == trial.space else "the space comes back as another one."


def _shapes(trial: SpaceTrial) -> str | None:
    for architecture, signature, axes, _ in trial.weighed:
        if axes != signature.output.axes:
            return f"gives {axes}, {signature.output} is wanted {_shown(architecture, signature)}"
    return None


def _declared(trial: SpaceTrial) -> str | None:
    """Part by part, so that the layer is named which is wrong, and not the one that stumbles over it."""
    for architecture in trial.covering:
        for signature in trial.signatures:
            with _at(architecture, signature), torch.device("meta"), torch.no_grad():
                values = example(signature.input, "meta", batch_size=2)
                model = build(trial.space, architecture, signature).eval()
                parts = [part for part in plan(trial.space, architecture, signature) if not is_of_training(part)]
                for part, module in zip(parts, model, strict=True):
                    values = module(values)
                    if tuple(values.shape[1:]) != part.gives.axes:
                        return (
                            f"{part.path} gives {tuple(values.shape[1:])} where it says {part.gives.axes}; mend the layer's "
                            f"`output` {_shown(architecture, signature)}"
                        )
    return None


def _formulas(trial: SpaceTrial) -> str | None:
    for architecture, signature, _, counted in trial.weighed:
        formula = cost(trial.space, architecture, signature)
        if formula != counted:
            return (
                f"{formula.params:,} parameters and {formula.macs:,} multiply-adds by formula, {counted.params:,} and "
                f"{counted.macs:,} by torch {_shown(architecture, signature)}"
            )
    return None


def _choices(trial: SpaceTrial) -> str | None:
    contexts: dict[str, list[tuple[Architecture, str]]] = {}
    for architecture in (*trial.covering, *trial.sampled):
        for name in architecture.choices:
            seen = contexts.setdefault(declared(name), [])
            if len(seen) < MOST_CONTEXTS:
                seen.append((architecture, name))
    idle = [choice for choice, seen in contexts.items() if not any(_changes(trial, *context) for context in seen)]
    return (
        f"nothing changes with {', '.join(idle[:10])}; delete what no layer reads, or one value of two that mean the same."
        if idle
        else None
    )


def _changes(trial: SpaceTrial, architecture: Architecture, name: str) -> bool:
    """Whether the network is another one with another answer to `name`; what has one answer only has nothing to change."""
    signature = trial.signatures[0]
    if trial.space.domains(architecture)[name].size == 1:
        return True
    one = plan(trial.space, architecture, signature)
    for other in alternatives(trial.space, architecture, name):
        try:
            if differs(one, plan(trial.space, other, signature)):
                return True
        except ModelError:  # other rules tell what does not fit
            continue
    return False


def _passes(trial: SpaceTrial) -> str | None:
    for seed, architecture in enumerate(trial.sampled):
        signature = trial.signatures[seed % len(trial.signatures)]
        with _at(architecture, signature):
            model = build(trial.space, architecture, signature, seed=seed)
            problem = trained_step(model, signature.input, signature.output, seed=seed)
        if problem:
            return f"{problem} {_shown(architecture, signature)}"
    return None


def _looking_back(trial: SpaceTrial) -> str | None:
    asked = [signature for signature in trial.signatures if is_causal_question(signature.input, signature.output)]
    if not asked and "tokens" not in trial.space.accepts:
        raise NotTried("the space accepts no tokens")
    tried = False
    for signature in asked or [NEXT]:
        for seed, architecture in enumerate(trial.sampled):
            try:
                plan(trial.space, architecture, signature)
            except ModelError:  # such as one that shortens the text: it answers no such question
                continue
            tried = True
            with _at(architecture, signature):
                problem = looks_ahead(build(trial.space, architecture, signature, seed=seed), signature.input)
            if problem:
                return f"{problem} {_shown(architecture, signature)}"
    if not tried:
        raise NotTried("none of the random architectures can give the next token")
    return None


def _limits(trial: SpaceTrial) -> str | None:
    known = {**FIGURES, **SCORES}
    for limit in trial.space.limits:
        if limit.figure not in known:
            return f"no figure is called {limit.figure!r}. {did_you_mean(limit.figure, known)}"
        if known[limit.figure].known == "trained":
            return f"{str(limit)!r} is on what is known only after training; steer by it as an objective instead."
    counted = [limit for limit in trial.space.limits if limit.figure in CostFold.figures]
    within = Within(trial.space, trial.signatures[0], counted)
    if not counted or within.draw(random.Random(0)) is not None:  # noqa: S311 - no secret
        return None
    return within.impossible or f"no architecture was found that keeps to {' and '.join(map(str, counted))}; move a limit."


def _readme(trial: SpaceTrial) -> str | None:
    origin = trial.space.origin
    if origin is not None and Path(origin.source).is_file() and Path(origin.source).name not in {"space.yaml", "space.yml"}:
        raise NotTried("a file that is not called space.yaml stands alone")
    if trial.readme is None:
        return "a space that was read from no file has no folder to look in; give the file's path (fixture `readme`)."
    return unwritten(trial.readme, "what the idea is, by whom, and what is known of it")


SPACE_RULES: tuple[Rule[SpaceTrial], ...] = (
    Rule("every layer and option is in the vocabulary", _vocabulary),
    Rule("equal seeds give equal architectures", _seeds),
    Rule("ids are the same in another process", _processes),
    Rule("architectures and space go through JSON and come back", _json),
    Rule("the space goes through YAML and comes back", _yaml),
    Rule("every value of every choice is built and ends in what is wanted", _shapes),
    Rule("layers give the shapes that they say", _declared),
    Rule("formulas give what torch counts", _formulas),
    Rule("every choice changes the network", _choices),
    Rule("random architectures run forward and backward with finite gradients", _passes),
    Rule("nothing looks ahead where the next token is wanted", _looking_back),
    Rule("limits are on figures that are known in time, and can be kept to", _limits),
    Rule("a README stands beside it", _readme),
)


def check_space(
    space: Space, *, signatures: tuple[Signature, ...] = (), samples: int = SAMPLES, readme: Path | None = None
) -> Iterator[tuple[str, str | None]]:
    """Each rule that could be tried, with what is wrong, or None; tried at `signatures`, or else at small ones of our own."""
    return rules.check(
        SPACE_RULES,
        SpaceTrial(
            space=space,
            signatures=signatures or default_signatures(space),
            samples=samples,
            readme=readme or readme_beside(space),
        ),
    )
