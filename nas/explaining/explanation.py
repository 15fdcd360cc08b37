"""Some examples of a network, explained, and the explainer held to the check."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nas.benchmark import Benchmark, NextTokens
from nas.errors import ExplainError
from nas.explaining.checking import check
from nas.explaining.drawing import view_of
from nas.explaining.explainer import Asked, Says, explained_by, find_explainer
from nas.reports.explanations import Example, Explanation
from nas.training import Examples


@dataclass(frozen=True, kw_only=True)
class Network:
    """What is explained, and what tells it from others."""

    study: str
    architecture: str
    seed: int
    evaluation: str
    benchmark: Benchmark
    trained: nn.Module
    redraw: Callable[[int], nn.Module]
    """A seed → the same network with weights drawn from it."""


def explain_network(
    network: Network,
    examples: Examples,
    *,
    split: str,
    numbers: Sequence[int],
    method: str,
    texts: Sequence[str] | None = None,
) -> Explanation:
    """Why `network` answers as it does for each of `examples`, those of such numbers in `split`.

    What is explained is the answer that it gives.

    `texts` are what the tokens of a vocabulary, or features, are called.

    Raises:
        ExplainError: the method cannot explain such a network, or what it says is no attribution.
        RegistryError: there is no such method.
    """
    if not len(examples):
        raise ExplainError("At least 1 example is explained, got 0.")
    explainer = find_explainer(method)
    classes = network.benchmark.classes
    signature = network.benchmark.signature
    if isinstance(signature.output, NextTokens) and texts is not None:
        classes = tuple(map(repr, texts))  # a space or a line break is to be seen
    says = Says(network.trained, signature).eval()
    with torch.no_grad():
        outputs_NK: Tensor = says(examples.inputs)
    answers_N = outputs_NK.argmax(1)
    asked = Asked(says, examples.inputs, answers_N, signature)
    maps = explained_by(explainer, asked)
    outputs_N, baseline_N = outputs_NK.gather(1, answers_N.unsqueeze(1)).squeeze(1), asked.answer(asked.baseline)

    checked = check(explainer, asked, maps, lambda seed: Says(network.redraw(seed), signature))
    shares_N = outputs_NK.softmax(1).gather(1, answers_N.unsqueeze(1)).squeeze(1).tolist() if outputs_NK.shape[1] > 1 else None
    told = []
    for n in range(len(examples)):
        total, answered, silent = float(maps[n].sum()), float(outputs_N[n]), float(baseline_N[n])
        told.append(
            Example(
                number=numbers[n],
                wanted=_wanted(examples.targets[n], outputs_NK.shape[1], classes),
                answer=_named(int(answers_N[n]), classes) if shares_N else f"{answered:.4g}",
                share=shares_N[n] if shares_N else None,
                output=answered,
                baseline=silent,
                total=total,
                error=abs(total - (answered - silent)) if explainer.sums else None,
                view=view_of(examples.inputs[n].cpu(), maps[n], signature.input, texts),
            )
        )
    return Explanation(
        study=network.study,
        architecture=network.architecture,
        seed=network.seed,
        evaluation=network.evaluation,
        benchmark=f"{network.benchmark.name} v{network.benchmark.version}",
        split=split,
        method=method,
        tells=explainer.tells,
        check=checked,
        examples=tuple(told),
    )


def _wanted(target: Any, outputs: int, classes: Sequence[str]) -> str:
    last = target.flatten()[-1]
    return _named(int(last), classes) if outputs > 1 and not last.is_floating_point() else f"{float(last):.4g}"


def _named(number: int, classes: Sequence[str]) -> str:
    return classes[number] if number < len(classes) else str(number)
