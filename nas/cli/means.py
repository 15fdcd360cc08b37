"""The options that commands which train have in common: by what it is done, and how much of it."""

import os
from collections.abc import Callable
from typing import Any

import click

from nas.errors import SearchError, quote

_MEANS = (
    click.option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; chosen by itself if not given."),
    click.option("--threads", type=int, metavar="N", help="Threads of one evaluation on the CPU; 1 if not given."),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        help="Number format of convolutions and matrix products; float32 if not given.",
    ),
    click.option(
        "--compile",
        type=click.Choice(["never", "auto", "always"]),
        help="Train through torch.compile: never (if not given), always, or where the steps ahead pay for it.",
    ),
    click.option(
        "--loading",
        type=click.Choice(["auto", "memory", "stream"]),
        help="How examples reach the device: as there is room (if not given), from its memory, or as a stream.",
    ),
    click.option(
        "--wait-minutes",
        type=float,
        metavar="M",
        help="How long one process waits for another where torchrun starts several; 10 if not given.",
    ),
)

_AMOUNT = (
    click.option("--epochs", type=int, metavar="N", help="Epochs of one evaluation."),
    click.option("--fraction", type=float, metavar="SHARE", help="Share of the training data that one evaluation sees."),
    click.option(
        "--seconds", type=float, metavar="S", help="Training seconds after which an evaluation begins no further epoch."
    ),
    click.option("--steps", type=int, metavar="N", help="Steps of the optimiser that one evaluation takes at most."),
    click.option("--flops", type=float, metavar="F", help="Floating-point operations that one training takes at most."),
    click.option(
        "--recipe",
        multiple=True,
        metavar="OPTION=VALUE",
        help="An option of training, such as mixup=0.2 or optimizer=lamb; may be repeated.",
    ),
)


_PLACES = (
    click.option(
        "--workers",
        type=int,
        metavar="N",
        help="Candidates at once, each in a process of its own, which may crash or hang without harm; NAS_WORKERS or 1 if not "
        "given, 0 for this process.",
    ),
    click.option("--gpus", metavar="N,N", help="The GPUs that workers share out among themselves; all if not given."),
    click.option("--per-gpu", type=int, metavar="N", help="Workers on each GPU; 1 if not given."),
    click.option("--time-limit", type=float, metavar="S", help="Seconds after which a candidate is killed; needs --workers."),
    click.option(
        "--memory-limit", metavar="BYTES", help='Memory of a candidate, as in "4 GiB", above which it is killed; needs --workers.'
    ),
    click.option("--attempts", type=int, metavar="N", help="Times that a candidate is begun whose worker dies; 3 if not given."),
    click.option(
        "--on-cluster",
        type=click.Choice(["ray", "slurm"]),
        help="Run the workers on a Ray cluster, or the whole command as an array of SLURM jobs that share the study.",
    ),
    click.option("--cluster-address", metavar="ADDRESS", help="The Ray cluster to join; one on this machine if not given."),
)


measure_option = click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME",
    help="Ask trained networks how they hold, as a figure: pgd-linf-8/255, fgsm-l2-0.5, noise-3, corruptions, ece, worst-group; "
    "may be repeated.",
)


def usual_workers() -> int:
    """Where nothing is said: NAS_WORKERS, or 1; and none for what torchrun starts, which trains in several processes already.

    Raises:
        SearchError: NAS_WORKERS is no number.
    """
    from nas.searching.together import several

    if several():
        return 0
    given = os.environ.get("NAS_WORKERS") or "1"
    if not given.isdecimal():
        raise SearchError(f"NAS_WORKERS is a number of workers, got {quote(given)}.")
    return int(given)


def places(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of where candidates run to `command`; what is not given is None."""
    for option in reversed(_PLACES):
        command = option(command)
    return command


def means(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to `command`; what is not given is None."""
    for option in reversed(_MEANS):
        command = option(command)
    return command


def amount(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a budget and a recipe to `command`; what is not given is None, or empty."""
    for option in reversed(_AMOUNT):
        command = option(command)
    return command
