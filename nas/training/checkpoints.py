"""Checkpoints: the state of a training under way, on the disk, so that a training that was killed goes on where it was.

    step → (enough time since the last?) → N.safetensors → N.json        N counts the checkpoints of a folder
    begin → the newest that is whole, and of this training → Loop.restore

The plain data carry the SHA-256 of the tensors and of themselves, and are written last: a checkpoint without them is none. What
is torn, altered or of another training is passed over for the one before it. Nothing is unpickled.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from nas.errors import BenchmarkError, quote
from nas.files import write_whole
from nas.records import versions
from nas.training.loop import Loop
from nas.training.stepping import group_of
from nas.training.weights import write_tensors

FORMAT = 2
"""Version of what is written; raised with every change of it."""

KEPT = 2
"""Checkpoints that are kept: the newest, and one to fall back on."""

NOT_FINITE = "not finite"
"""JSON has no NaN and no infinity; such a number is written as {"not finite": "nan"}."""

_NAME = re.compile(r"(\d{6,12})\.(?:json|safetensors)(\.\d+\.part)?")
"""A file of a checkpoint: its number, and how the name of an unfinished one ends."""

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""What is another in every process, in the text of a module."""


class Broken(ValueError):
    """A checkpoint that cannot be gone on from; its text says why."""


class Checkpoints:
    """Writes a training down in `folder` as it goes, and lets it go on from there: hand `begin` and `on_step` to `train`.

    A training is told from others by its recipe, budget, seed, network (its layers as they print, names and shapes of weights),
    number of examples, number format, device and the versions of Python and the packages; the data themselves and the task are
    not looked at, so give each data set a folder of its own. One training at a time uses a folder.

    Where several processes train one network together, each has its own; the first alone reads and writes, and there the folder
    is and the time that counts. What it writes holds the state of all, and as many go on from it.

    What a reader of the figures should know (went on, passed over, could not be written) joins the training's notes. The seconds
    that writing takes are counted as training's.
    """

    def __init__(self, folder: Path, every_seconds: float = 60.0) -> None:
        """Write into `folder`, made with the first checkpoint, at the first step that ends `every_seconds` after the last.

        Raises:
            BenchmarkError: `every_seconds` is no number of at least 0.
        """
        if not 0 <= every_seconds < math.inf:
            raise BenchmarkError(f"Seconds between two checkpoints are at least 0, got {quote(every_seconds)}.")
        self.folder = folder
        self.every_seconds = every_seconds
        self.seconds_before = 0.0
        """Training seconds that were spent before this process went on; 0 where it has begun anew."""
        self._written_at = 0.0
        self._identity: dict[str, Any] = {}
        self._whole: list[int] = []
        """Numbers of the checkpoints that are known to be whole and of this training, oldest first."""
        self._others: set[int] = set()
        """Those of other trainings, which are left alone."""
        self._told = False
        """Whether the notes say already that one could not be written."""

    def within(self, name: str) -> "Checkpoints":
        """Those of another training in a folder of its own, for a stage of one candidate's."""
        return Checkpoints(self.folder / name, self.every_seconds)

    def begin(self, loop: Loop) -> None:
        """Set `loop` to the newest checkpoint of its training; without one it stays at its beginning."""
        self._written_at = time.monotonic()
        self._identity = identity(loop)
        notes: list[str] = []
        ranks = loop.ranks
        found = self._newest(notes) if ranks.leads else None
        ranks.calm()
        ranks.writes = True
        if told := ranks.agreed(found[0] if found else None):
            data = ranks.spread(found[1] if found else b"")
            tensors = tensors_of(data, told["tensors"]["strides"])
            loop.restore(_of_rank(tensors, ranks.rank), told["data"])
            self.seconds_before = loop.at.seconds
            notes.append(f"Went on from a checkpoint after step {loop.at.step} of {loop.steps}.")
        loop.stepper.notes += notes

    def _newest(self, notes: list[str]) -> tuple[dict[str, Any], bytes] | None:
        """Plain data and the tensors' file of the newest that is whole and of this training; notes say what is passed over."""
        for number in reversed(self._numbers("*.json")):
            try:
                document = read_document(self.folder / f"{number:06}.json")
                if other := _difference(document["identity"], self._identity):
                    self._others.add(number)
                    raise Broken(f"it is of a training with another {other}")
                data = read_whole(self.folder / f"{number:06}.safetensors", document["tensors"]["sha256"])
            except Broken as reason:
                notes.append(f"Checkpoint {number} was passed over: {reason}.")
                continue
            self._whole = [number]
            return document, data
        return None

    def on_step(self, loop: Loop) -> None:
        """Write `loop`'s state down if it is time; where that cannot be done, a note says so and the training goes on."""
        if self.due(loop):
            self.write(loop)

    def due(self, loop: Loop, *, now: bool = False) -> bool:
        """Whether `loop`'s state is to be written: `now`, or because it is time.

        Of several processes the first wants it so, and all hear of it with the step that comes next: each answers alike.
        """
        due = now or time.monotonic() - self._written_at >= self.every_seconds
        if loop.ranks.alone:
            return due
        if due and loop.ranks.leads:
            loop.ranks.urge()
        return loop.ranks.urged

    def write(self, loop: Loop) -> None:
        """Write `loop`'s state down now, and delete what is older than the last two; several processes do so together."""
        loop.ranks.calm()
        tensors, data = loop.state()
        if not loop.ranks.alone:
            own = {name: value.detach().cpu().clone() for name, value in loop.of_this_process(tensors).items()}
            theirs = loop.ranks.collect(safetensors.torch.save({name: value.contiguous() for name, value in own.items()}))
            loop.ranks.writes = not loop.ranks.interrupts.came  # with the next meeting all end
            self._written_at = time.monotonic()
            if not loop.ranks.leads:
                return
            for rank, part in enumerate(theirs[1:], start=1):
                tensors |= {f"rank{rank}.{name}": value for name, value in safetensors.torch.load(part).items()}
        try:
            self._write(tensors, data)
            self._prune()
        except (OSError, TypeError) as error:  # a full disk; a state that is not of tensors and plain data
            if not self._told:
                reason = getattr(error, "strerror", None) or error
                loop.stepper.notes.append(f"After step {loop.at.step} no checkpoint could be written ({reason}).")
            self._told = True
        self._written_at = time.monotonic()

    def _write(self, tensors: Mapping[str, Tensor], data: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max(self._numbers(), default=0)  # never a name that is in use: the old file stays whole
        file = self.folder / f"{number:06}.safetensors"
        written = {"sha256": write_tensors(tensors, file), "strides": strides_of(tensors)}
        document = {"format": FORMAT, "identity": self._identity, "tensors": written, "data": data}
        body = json.dumps(_as_json(document), allow_nan=False, separators=(",", ":"))
        write_whole(sealed(body.encode()), file.with_suffix(".json"))
        self._whole.append(number)

    def _prune(self) -> None:
        """Delete this training's checkpoints but the last two, what is damaged, and what was never finished."""
        self._whole = self._whole[-KEPT:]
        for path in list(self.folder.iterdir()):
            match = _NAME.fullmatch(path.name)
            if match and (match[2] or int(match[1]) not in {*self._whole, *self._others}):
                path.unlink(missing_ok=True)

    def _numbers(self, pattern: str = "*") -> list[int]:
        """Of the checkpoints in the folder, whole or not, in the order they were written; none where there is no folder."""
        matches = [_NAME.fullmatch(path.name) for path in self.folder.glob(pattern)]
        return sorted({int(match[1]) for match in matches if match and not match[2]})


def identity(loop: Loop) -> dict[str, Any]:
    """What two trainings must share to be one, as JSON gives it back."""
    stepper = loop.stepper
    layers, state = _ADDRESS.sub("", str(stepper.model)), stepper.model.state_dict()
    weights = [[name, str(getattr(value, "dtype", "")), list(getattr(value, "shape", ()))] for name, value in state.items()]
    named = {
        "recipe": asdict(loop.recipe),
        "budget": asdict(loop.budget),
        "length": [loop.per_epoch, loop.steps],
        "seed": loop.seed,
        "method": dict(stepper.method.identity),
        "network": hashlib.sha256(json.dumps([layers, weights]).encode()).hexdigest()[:16],
        "number of examples": [len(loop.training), len(loop.validation)],
        "objective": asdict(loop.objective) if loop.objective else None,
        "number format": stepper.precision,
        "device": loop.device.type,
        "set of versions": versions(),
    }
    if not loop.ranks.alone:
        named["number of processes"] = loop.ranks.size
    plain: dict[str, Any] = json.loads(json.dumps(named))
    return plain


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """The name of the first thing in which two identities differ."""
    return next((name for name in [*ours, *theirs] if ours.get(name) != theirs.get(name)), "")


HEAD = b'{"sha256":"' + b"0" * 64 + b'","state":'


def sealed(body: bytes) -> bytes:
    """A JSON document, in which `body` stands beside its SHA-256."""
    return HEAD.replace(b"0" * 64, hashlib.sha256(body).hexdigest().encode()) + body + b"}"


def read_document(path: Path) -> dict[str, Any]:
    """The plain data of a checkpoint.

    Raises:
        Broken: the file is not what was written, or of another format.
    """
    data = _read(path)
    body = data[len(HEAD) : -1]
    if data != sealed(body):
        raise Broken(f"{path.name} is not as it was written")
    document: dict[str, Any] = json.loads(body, object_hook=_from_json)
    if document["format"] != FORMAT:
        raise Broken(f"it has format {document['format']}, this version reads {FORMAT}")
    return document


def read_whole(path: Path, sha256: str) -> bytes:
    """What is in the file.

    Raises:
        Broken: it is not what was written.
    """
    data = _read(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Broken(f"{path.name} is not as it was written")
    return data


def tensors_of(data: bytes, strides: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """What is in the bytes of such a file, with the strides that were written beside it."""
    return {name: _laid_out(value, strides.get(name)) for name, value in safetensors.torch.load(data).items()}


_OF_ANOTHER = re.compile(r"rank\d+\.")


def _of_rank(tensors: Mapping[str, Tensor], rank: int) -> dict[str, Tensor]:
    """The state of the process `rank`, of what is written of all: that of the first, but for what is its own."""
    first = {name: value for name, value in tensors.items() if not _OF_ANOTHER.match(name)}
    return first | group_of(tensors, f"rank{rank}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Broken(f"{path.name} cannot be read ({error.strerror})") from error


def strides_of(tensors: Mapping[str, Tensor]) -> dict[str, Sequence[int]]:
    """The strides of those tensors that fill their memory, but not as torch lays them out by itself."""
    plain = {name: torch.empty(value.shape, device="meta").stride() for name, value in tensors.items()}
    return {name: value.stride() for name, value in tensors.items() if value.stride() != plain[name] and _fills(value)}


def _fills(value: Tensor) -> bool:
    """Whether the elements lie without gap and overlap, in whatever order of the axes."""
    strides = value.stride()
    return value.permute(sorted(range(value.ndim), key=lambda axis: -strides[axis])).is_contiguous()


def _laid_out(value: Tensor, strides: Sequence[int] | None) -> Tensor:
    """A copy with `strides`. They matter: a fused optimiser walks a weight and its moments through memory side by side."""
    return value.clone() if strides is None else torch.empty_strided(value.shape, strides, dtype=value.dtype).copy_(value)


def _as_json(value: Any) -> Any:
    """`value` with what JSON cannot say in words; its other floats come back to the bit."""
    if isinstance(value, Mapping):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {NOT_FINITE: str(value)}
    return value


def _from_json(found: dict[str, Any]) -> Any:
    return float(found[NOT_FINITE]) if set(found) == {NOT_FINITE} else found
