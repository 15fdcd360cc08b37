"""Pre-trained trunks in files, each trained once and used by every candidate that needs it.

    KEY.safetensors        the weights, by their place in the trunk, and in its metadata what their training came to
    KEY.lock               held by whoever trains it, while others wait

A key is made of all that decides what weights come out: layers, pretext, budget, recipe, data, seed, number format, device and
versions. So a trunk that is found is, to the last bit on a CPU, the one that would be trained. Nothing deletes these files but
their owner, who may do so at any time.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from filelock import FileLock
from safetensors import SafetensorError
from torch import Tensor, nn

from nas.files import inside, write_whole
from nas.training import digest_tensors

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""What is another in every process, in the text of a module."""

_TOLD = "pre-training"
"""Under which name of the metadata stands what the training came to."""


@dataclass(frozen=True)
class Learned:
    """What a pre-training came to."""

    seconds: float
    """Wall-clock time of its steps."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """On examples without labels that were held out."""


class Trunks:
    """Those in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def at_work(self, key: str) -> Iterator[None]:
        """Within it nobody else on this machine trains or reads the trunk called `key`; waits until nobody does.

        Raises:
            OSError: the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(inside(self.folder, f"{key}.lock")):
            yield

    def read(self, key: str, trunk: nn.Module) -> Learned | None:
        """Give `trunk` the weights called `key`; None where they are not there, or not whole, and `trunk` is as it was."""
        file = inside(self.folder, f"{key}.safetensors")
        try:
            with safetensors.safe_open(file, framework="pt") as opened:
                told = json.loads(opened.metadata()[_TOLD])
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no mapping
            learned = Learned(**told["learned"])
            if digest_tensors(tensors) != told["sha256"]:
                return None
            names = list(trunk.state_dict())
            trunk.load_state_dict({name: tensors[str(number)] for number, name in enumerate(names)})
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None  # it is trained again, and replaced
        return learned

    def write(self, key: str, trunk: nn.Module, learned: Learned) -> None:
        """Keep the weights of `trunk` under the name `key`, whole or not at all.

        Raises:
            OSError: they cannot be written.
        """
        tensors = {str(number): _plain(value) for number, value in enumerate(trunk.state_dict().values())}
        told = {"learned": asdict(learned), "sha256": digest_tensors(tensors)}
        data = safetensors.torch.save(tensors, metadata={_TOLD: json.dumps(told)})
        write_whole(data, inside(self.folder, f"{key}.safetensors"))


def key_of(trunk: nn.Module, decided_by: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits, equal for trunks of equal layers in equal order, of whose training `decided_by` is all else."""
    layers = [_ADDRESS.sub("", str(module)) for module in trunk.children()]
    weights = [[str(value.dtype), list(value.shape)] for value in trunk.state_dict().values()]
    text = json.dumps([layers, weights, decided_by], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Tensor) -> Tensor:
    """A copy of its own in row-major order on the CPU."""
    return value.detach().cpu().contiguous().clone()
