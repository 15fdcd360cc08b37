"""A command as an array of SLURM jobs: each task runs it, and all share one study."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from nas.errors import ClusterError, quote

if TYPE_CHECKING:
    from nas.searching.places import Places

SLURM = "slurm"
OF_THE_ARRAY = ("--on-cluster", "--tasks", "--task-minutes", "--cluster-option")
"""Options that say what to submit, and are not for the tasks."""

_ARRAY = (
    click.option("--tasks", type=int, metavar="N", help="With --on-cluster slurm: tasks of the array; 1 if not given."),
    click.option("--task-minutes", type=int, metavar="M", help="Minutes of a task before it queues again; 60 if not given."),
    click.option(
        "--cluster-option",
        "cluster_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option for sbatch, such as partition=gpu; may be repeated.",
    ),
)


def array(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an array of jobs to `command`."""
    for option in reversed(_ARRAY):
        command = option(command)
    return command


def check_array(*, on_slurm: bool, **options: Any) -> None:
    """Refuse options of an array where there is none.

    Raises:
        ClusterError: names one.
    """
    for name, value in options.items():
        if not on_slurm and value not in (None, ()):
            option = "--" + name.rstrip("s").replace("_", "-") if name == "cluster_options" else "--" + name.replace("_", "-")
            raise ClusterError(
                f"Tasks are those of an array of SLURM jobs, got {option}; give --on-cluster slurm, or leave it out."
            )


def submitted(study: str, options: Mapping[str, Any], *, as_json: bool, **array: Any) -> bool:
    """Whether `options` ask for an array of tasks of the command that is run, which trains networks of `study` again.

    It is submitted then; `array` are the options of `array`.

    Raises:
        ClusterError: options of an array stand alone, or it cannot be submitted.
    """
    from nas.searching.retraining import places_of

    on_slurm = options.get("on_cluster") == SLURM
    check_array(on_slurm=on_slurm, **array)
    if on_slurm:
        places = places_of({name: value for name, value in options.items() if name != "on_cluster"})
        submit_array(given_words(), places, ledger=options["ledger"], study=study, as_json=as_json, **array)
    return on_slurm


def given_words() -> tuple[str, ...]:
    """What `nas` was given."""
    words: tuple[str, ...] = click.get_current_context().find_root().command.words  # type: ignore[attr-defined]  # of the group
    return words


def submit_array(
    words: Sequence[str],
    places: "Places",
    *,
    ledger: str,
    study: str,
    tasks: int | None,
    task_minutes: int | None,
    cluster_options: Sequence[str],
    as_json: bool,
) -> None:
    """Put tasks into SLURM's queue that run `words` with --study `study`, and print where they are.

    Raises:
        ClusterError: they cannot be submitted.
    """
    from nas.files import inside
    from nas.records.addresses import find_address, without_password
    from nas.searching.on_slurm import MINUTES, submit

    bad = next((option for option in cluster_options if "=" not in option), None)
    if bad is not None:
        raise ClusterError(f"An option for sbatch is NAME=VALUE, such as partition=gpu, got {quote(bad)}.")
    gpus = -(-places.workers // places.per_gpu) if (places.device or "").startswith("cuda") or places.gpus else 0
    given = [*tasks_words(words)]
    submitted = submit(
        given if "--study" in given or given[:1] in (["finals"], ["audit"]) else [*given, "--study", study],
        ledger=ledger,
        folder=inside(find_address(without_password(ledger), {}).beside("slurm"), study),
        tasks=tasks if tasks is not None else 1,
        minutes=task_minutes if task_minutes is not None else MINUTES,
        cpus=places.slots * places.threads,
        gpus=gpus,
        options=dict(option.split("=", 1) for option in cluster_options),
        name=study,
    )
    jobs, folder = ", ".join(submitted.jobs), submitted.folder
    if as_json:
        click.echo(json.dumps({"event": "submitted", "study": study, "jobs": submitted.jobs, "folder": str(folder)}))
        return
    click.echo(f"Submitted {jobs}; what each prints is in {folder}.")
    click.echo(f"Next:\n  nas watch {study}\n  nas stop {study}")


def tasks_words(words: Sequence[str]) -> Iterator[str]:
    """The command's words without the options of the array."""
    left = iter(words)
    for word in left:
        if word in OF_THE_ARRAY:
            next(left, None)
        elif not word.startswith(tuple(f"{option}=" for option in OF_THE_ARRAY)):
            yield word
