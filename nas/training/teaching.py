"""Teachers of a training: trained networks in files, whose softened answers are learned beside what is right.

    teacher=winner/model.pt2    a program of `torch.export`, as `nas export` writes one, of whatever network; several with commas

Axes: N examples, L positions, K classes.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nas.benchmark import Recipe
from nas.errors import BenchmarkError, quote
from nas.training.kinds import Classification, NextToken
from nas.training.task import Task

Teacher = Callable[[Tensor], Tensor]

MARK = "@"
"""Between a file's path and the beginning of its SHA-256."""

DIGITS = 16


def pinned(teacher: str) -> str:
    """The recipe's teachers, each with the digest of its file, so that a study tells which they were.

    Raises:
        BenchmarkError: a file cannot be read, or is another than its digest says.
    """
    return ",".join(f"{path}{MARK}{_digest(path, wanted)}" for path, wanted in _named(teacher))


def teachers_of(recipe: Recipe, device: torch.device) -> Sequence[Teacher]:
    """The networks that the recipe names, on `device`; none where it names none. They are loaded once.

    Raises:
        BenchmarkError: a file cannot be read, is another than it was, or is no program.
    """
    if recipe.teacher is None:
        return ()
    return tuple(_load(path, _digest(path, wanted), str(device)) for path, wanted in _named(recipe.teacher))


def softened(answers: Tensor, teachers: Sequence[Teacher], inputs: Tensor, temperature: float) -> Tensor:
    """T² · KL(mean of the teachers' softened probabilities ‖ the student's), the mean over examples (and positions).

    (Hinton et al. 2015, arXiv:1503.02531, sec. 2.) Answers are logits, (N, K) or (N, L, K).

    Raises:
        BenchmarkError: a teacher answers in another shape.
    """
    with torch.no_grad():
        told = [teacher(inputs) for teacher in teachers]
    for one in told:
        if one.shape != answers.shape:
            raise BenchmarkError(f"A teacher answers as its student does, {tuple(answers.shape)}, got {tuple(one.shape)}.")
    wanted = torch.stack([functional.softmax(one / temperature, dim=-1) for one in told]).mean(dim=0)
    ours = functional.log_softmax(answers / temperature, dim=-1).flatten(0, -2)
    return temperature**2 * functional.kl_div(ours, wanted.flatten(0, -2), reduction="batchmean")


def check_answers(task: Task) -> None:
    """Refuse students whose answers are no logits of classes.

    Raises:
        BenchmarkError: they are not.
    """
    if not isinstance(task, Classification | NextToken):
        raise BenchmarkError(
            f"Students learn from logits of classes or of the next token, got a {type(task).__name__}; leave `teacher` out."
        )


def _named(teacher: str) -> list[tuple[str, str]]:
    """Path and digest, which may be empty, of each."""
    parts = [part.strip().rpartition(MARK) for part in teacher.split(",")]
    found = [(path, digest) if mark and len(digest) == DIGITS else (path + mark + digest, "") for path, mark, digest in parts]
    if not all(path for path, _ in found):
        raise BenchmarkError(f"A recipe's teacher is the file of a program, such as winner/model.pt2, got {quote(teacher)}.")
    return found


def _digest(path: str, wanted: str) -> str:
    try:
        found = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:DIGITS]
    except OSError as error:
        raise BenchmarkError(f"The teacher {quote(path)} cannot be read: {error.strerror}; `nas export` writes one.") from error
    if wanted and wanted != found:
        raise BenchmarkError(f"The teacher {quote(path)} is another file than it was ({found}, and was {wanted}); name it anew.")
    return found


@lru_cache(maxsize=8)
def _load(path: str, digest: str, device: str) -> Teacher:  # noqa: ARG001 - another file is another teacher
    from torch.export import load
    from torch.export.passes import move_to_device_pass

    try:
        program: Any = load(path)
        return program.module() if device == "cpu" else move_to_device_pass(program, device).module()
    except Exception as error:  # whatever comes of a file that is none
        reason = " ".join(str(error).split())[:120]
        raise BenchmarkError(
            f"The teacher {quote(path)} is no program of torch.export ({reason}); `nas export` writes one."
        ) from error
