"""Why a finalist answers as it does: its kept weights are read, validation examples explained, the explanation kept."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nas.benchmark import Features, Tokens
from nas.errors import ExplainError, ModelError, SearchError, printable
from nas.records import Ledger, Trial, default_ledger
from nas.searching.handing_over import find
from nas.searching.retraining import benchmark_of
from nas.searching.weights import missing, weights_of

if TYPE_CHECKING:
    from torch import nn

    from nas.reports.explanations import Explanation
    from nas.training import Task

METHOD = "integrated-gradients"
EXAMPLES = 8
MOST = 256
"""Examples that a page can hold."""


def explain(
    named: str | Trial,
    *,
    methods: Iterable[str] = (METHOD,),
    examples: int = EXAMPLES,
    weights: Path | None = None,
    ledger: str | None = None,
    data: Path | None = None,
    device: str | None = None,
) -> "tuple[Explanation, ...]":
    """What the answers of a finalist rest on, for `examples` of validation that are evenly spread over it, by each of `methods`.

    `named` is STUDY:NUMBER, STUDY:ID with an architecture's id, or STUDY for its winner. The weights are those that finals
    kept, or those in the file `weights`. Each explanation is held against those of the same network with weights drawn anew, and
    kept beside the ledger, so that the study's report shows it; of weights from a file it is not.

    Raises:
        NasError: there is no such trial or method, its weights were not kept, its data are missing, or it cannot be explained.
    """
    import torch

    from nas.device import pick, place
    from nas.explaining import Network, explain_network
    from nas.models import build
    from nas.reports.explanations import keep_explanation
    from nas.training import Examples, as_feed, become, load_task

    if isinstance(examples, bool) or not 1 <= examples <= MOST:
        raise ExplainError(f"From 1 to {MOST} examples are explained, got {examples}.")
    methods = tuple(dict.fromkeys(methods))
    if not methods:
        raise ExplainError(f"At least 1 method explains, got none; {METHOD} is the usual one.")
    url = ledger or default_ledger()
    with Ledger(url, create=False) as book:
        entry, trial, _, _ = find(book, named)
        if "table" in entry.definition["benchmark"]:
            raise SearchError(
                f"The study {entry.name!r} is on a table, in which nothing was trained; there is nothing to explain."
            )
        benchmark = benchmark_of(entry, data)
        record = trial.record
        assert record is not None  # noqa: S101 - `find` gives what is complete
        if weights is None and record.derived is not None and not record.derived.plain:
            raise ExplainError(
                f"The {trial.title} is {record.derived.words}, and its weights are no plain ones; explain what it was made of."
            )
        path = weights or weights_of(url, trial)
        if path is None:
            raise ExplainError(f"{missing(url, trial)} A file of weights can be named too, by --weights.")
        network = build(entry.space, trial.architecture, benchmark.signature, seed=record.seed)
        _read(network, path)
        task = load_task(benchmark, data)
        where = pick(device)
        feed = as_feed(task.examples("validation"), where)
        numbers = [n * len(feed) // min(examples, len(feed)) for n in range(min(examples, len(feed)))]
        inputs, targets = next(feed.batches([torch.tensor(numbers)]))

        def redraw(seed: int) -> "nn.Module":
            fresh = build(entry.space, trial.architecture, benchmark.signature, seed=seed)
            return place(become(fresh, network), where)

        found = []
        for method in methods:
            explanation = explain_network(
                Network(
                    study=entry.name,
                    architecture=trial.architecture.id,
                    seed=record.seed,
                    evaluation=trial.evaluation,
                    benchmark=benchmark,
                    trained=place(network, where),
                    redraw=redraw,
                ),
                Examples(inputs.to(where), targets.to(where)),
                split="validation",
                numbers=numbers,
                method=method,
                texts=_texts(task) if isinstance(benchmark.signature.input, Tokens | Features) else None,
            )
            if weights is None:
                keep_explanation(book, explanation)
            found.append(explanation)
    return tuple(found)


def _read(network: "nn.Module", path: Path) -> None:
    """Give `network` the weights in the file at `path`.

    Raises:
        ExplainError: it cannot be read, or is of another network.
    """
    from nas.training import read_weights

    try:
        read_weights(network, path)
    except OSError as error:
        raise ExplainError(f"{printable(path.name)} cannot be read: {error.strerror}.") from error
    except ModelError as error:
        raise ExplainError(str(error)) from error


def _texts(task: "Task") -> tuple[str, ...] | None:
    """What its tokens or features are called, where it tells."""
    tell = getattr(task, "texts", None)
    return tuple(tell()) if callable(tell) else None
