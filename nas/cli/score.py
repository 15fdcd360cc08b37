"""`nas score`: what untrained networks say of how well they will learn."""

import json
import math
import random
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nas.cli.printing import FOLDER, as_json, console, print_grid
from nas.cli.spaces import space_path
from nas.errors import SearchError

if TYPE_CHECKING:
    from nas.space import Architecture, Space

TRIES = 20
"""Draws for each architecture that is wanted, so that a space which holds fewer ends the drawing."""


@click.command()
@click.argument("space")
@click.argument("architecture", nargs=-1)
@click.option("--on", metavar="BENCHMARK", required=True, help="What feeds the networks, and the loss they would be trained by.")
@click.option("--draw", type=click.IntRange(min=1), metavar="N", help="Draw so many architectures instead of naming them.")
@click.option("--proxy", "proxies", multiple=True, metavar="NAME", help="A score; all if not given, may be repeated.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="N", help="Of weights and draws.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; chosen by itself if not given.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Threads on the CPU.")
@click.option("--data", type=FOLDER, metavar="DIR", help="The folder that the benchmark's data lie in.")
@click.option("--ledger", metavar="URL", help="Where STUDY is looked for; NAS_LEDGER, or sqlite:///nas.sqlite.")
@space_path
@as_json
def score(
    space: str, architecture: tuple[str, ...], draw: int | None, proxies: tuple[str, ...], as_json: bool, **given: Any
) -> None:
    """Give ARCHITECTUREs of SPACE their zero-cost scores, without training them; larger is better.

    \b
    nas score residual_cnn --on digits
    nas score residual_cnn STUDY:3 STUDY:7 --on digits --proxy naswot --proxy flops
    nas score residual_cnn --on digits --draw 20 --json

    ARCHITECTURE is its choices as JSON, a file of them, or STUDY:NUMBER or STUDY:ID, a trial of a study; without it the first
    of the space is taken.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    if architecture and draw is not None:
        raise SearchError(f"Architectures are named or drawn, got {len(architecture)} and --draw {draw}; leave one out.")
    from nas.searching import check_input, pick_architecture, resolve_benchmark, resolve_space

    found, benchmark = resolve_space(space, given["space_path"]), resolve_benchmark(given["on"])
    check_input(found, benchmark)
    if draw is not None:
        chosen: Sequence[Architecture] = _drawn(found, draw, given["seed"])
    else:
        chosen = [pick_architecture(found, name, ledger=given["ledger"] or "") for name in architecture or (None,)]
    with redirect_stdout(sys.stderr):  # what a network prints is none of the scores
        scores = _scores(found, benchmark, chosen, proxies, given["seed"], given["data"], given["device"], given["threads"])
    if as_json:
        rows = [
            {"id": one.id, **one.to_data(), "scores": {name: _plain(value) for name, value in row.items()}}
            for one, row in zip(chosen, scores, strict=True)
        ]
        click.echo(json.dumps({"benchmark": benchmark.name, "seed": given["seed"], "architectures": rows}, indent=1))
        return
    if len(chosen) == 1:
        console().print(json.dumps(dict(chosen[0].choices)), markup=False, highlight=False, soft_wrap=True)
    print_grid(
        [
            {"architecture": one.id, **{name: _words(value) for name, value in row.items()}}
            for one, row in zip(chosen, scores, strict=True)
        ]
    )


def _drawn(space: "Space", count: int, seed: int) -> list["Architecture"]:
    """So many different architectures, or as many as were found."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    found: dict[str, Architecture] = {}
    for _ in range(TRIES * count):
        one = space.sample(rng)
        found.setdefault(one.id, one)
        if len(found) == count:
            break
    return list(found.values())


def _scores(
    space: "Space",
    benchmark: Any,
    chosen: Sequence["Architecture"],
    proxies: Sequence[str],
    seed: int,
    data: Path | None,
    device: str | None,
    threads: int,
) -> list[dict[str, float | None]]:
    import torch

    from nas.models import check_layers
    from nas.proxies import NAMES, Scored

    check_layers(space)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        scored = Scored(space, benchmark, dict.fromkeys(proxies) or NAMES, seed=seed, data=data, device=device)
        return [dict(scored.all_of(one)) for one in chosen]
    finally:
        torch.set_num_threads(before)


def _plain(value: float | None) -> float | None:
    """JSON has no infinity; a score of −inf has no number there either."""
    return value if value is not None and math.isfinite(value) else None


def _words(value: float | None) -> int | str:
    """Costs are whole numbers, scores are not; what is not defined is a dash."""
    return value if isinstance(value, int) else "–" if value is None else f"{value:,.6g}".replace("-inf", "−inf")
