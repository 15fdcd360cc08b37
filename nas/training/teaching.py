"""Teachers of a training: trained networks in files, whose softened answers are learned beside what is right.

    teacher=winner/model.pt2                     a program of `torch.export`, as `nas export` writes one, of whatever network
    teacher=timm:resnet18:resnet18.safetensors   a network of timm's and the file of its weights, trained on the same examples
    teacher=one.pt2,timm:…                       several, with commas

Axes: N examples, L positions, K classes.
"""

import hashlib
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional

from nas.errors import BenchmarkError, quote
from nas.training.kinds import Classification, NextToken
from nas.training.task import Task

Teacher = Callable[[Tensor], Tensor]

TIMM = "timm:"
"""Before the name of a network of timm's, a colon, and the file of its weights."""

MARK = "@"
"""Between a file's path and the beginning of its SHA-256."""

DIGITS = 16


def pinned(teacher: str) -> str:
    """The recipe's teachers, each with the digest of its file, so that a study tells which they were.

    Raises:
        BenchmarkError: a file cannot be read, or is another than its digest says.
    """
    return ",".join(f"{path}{MARK}{_digest(path, wanted)}" for path, wanted in _named(teacher))


def teachers_of(teacher: str | None, device: torch.device) -> Sequence[Teacher]:
    """The networks that a recipe's `teacher` names, on `device`; none where it names none. They are loaded once.

    Raises:
        BenchmarkError: a file cannot be read, is another than it was, or is no program.
    """
    if teacher is None:
        return ()
    return tuple(_load(path, _digest(path, wanted), str(device)) for path, wanted in _named(teacher))


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
        raise BenchmarkError(
            "A teacher is the file of a program, such as winner/model.pt2, or timm:NAME:FILE, with commas between several, got "
            f"{quote(teacher)}."
        )
    return found


def _digest(path: str, wanted: str) -> str:
    try:
        found = hashlib.sha256(_file(path).read_bytes()).hexdigest()[:DIGITS]
    except OSError as error:
        way = "name the file of its weights" if path.startswith(TIMM) else "`nas export` writes one"
        raise BenchmarkError(f"The teacher {quote(path)} cannot be read: {error.strerror}; {way}.") from error
    if wanted and wanted != found:
        raise BenchmarkError(f"The teacher {quote(path)} is another file than it was ({found}, and was {wanted}); name it anew.")
    return found


def _file(path: str) -> Path:
    """That holds its weights.

    Raises:
        BenchmarkError: it is to be one of timm's, and is not written so.
    """
    if not path.startswith(TIMM):
        return Path(path)
    name, colon, file = path.removeprefix(TIMM).partition(":")
    if not (name and colon and file):
        raise BenchmarkError(
            f"A teacher of timm's is timm:NAME:FILE, such as timm:resnet18:weights.safetensors, got {quote(path)}."
        )
    return Path(file)


def _of_timm(path: str, device: str) -> nn.Module:
    """timm's network of that name with its weights, for as many channels and classes as these are of; no network is asked.

    Raises:
        BenchmarkError: timm has none of that name, or the weights are of another.
    """
    import timm

    name, file = path.removeprefix(TIMM).partition(":")[0], _file(path)
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=3)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else "timm.list_models() tells all."
        raise BenchmarkError(f"timm has no network called {quote(name)}. {hint}")
    try:
        state = safetensors.torch.load_file(file)
        told: Any = timm.models.get_pretrained_cfg(name)
        classes, channels = len(state[f"{told.classifier}.weight"]), state[f"{told.first_conv}.weight"].shape[1]
        network = timm.create_model(name, num_classes=classes, in_chans=channels)
        network.load_state_dict(state)
    except (AttributeError, KeyError, RuntimeError, TypeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:120]
        raise BenchmarkError(
            f"The teacher {quote(path)} holds no weights of timm's {name} ({reason}); write its state_dict() with safetensors."
        ) from error
    return network.eval().requires_grad_(False).to(device)


@lru_cache(maxsize=8)
def _load(path: str, digest: str, device: str) -> Teacher:  # noqa: ARG001 - another file is another teacher
    if path.startswith(TIMM):
        return _of_timm(path, device)
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
