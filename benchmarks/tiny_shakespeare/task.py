"""The text as windows of characters, in fixed, contiguous splits: 90 % training, 5 % validation, 5 % test.

Axes: N windows, L positions.
"""

from pathlib import Path

import numpy as np
import torch

from nas.errors import BenchmarkError, DataMissing
from nas.training import Examples, NextToken, Split, find_data

FILE = "tiny-shakespeare.txt"

ALPHABET = "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""All characters of the text; the first has id 1, since 0 is for padding."""

LENGTH = 128

_CHARACTERS = 1_115_394
_BOUNDS = {"train": (0.0, 0.9), "validation": (0.9, 0.95), "test": (0.95, 1.0)}


def load(data: Path | None) -> NextToken:
    """The task, from the text in the file or folder `data`, else in the folder that NAS_DATA names.

    Raises:
        DataMissing: the text is nowhere; says how to get it.
        BenchmarkError: it is another one.
    """
    found = find_data(data, FILE)
    if found is None:
        raise DataMissing(
            f"{FILE} is not {f'in {data}' if data else 'on this machine'}; fetch data/tinyshakespeare/input.txt of "
            "github.com/karpathy/char-rnn and name the file by --data, or put it under that name into the folder that the "
            "environment variable NAS_DATA names."
        )

    def examples(split: Split) -> Examples:
        return windows(_encode(found[0]), split)

    characters = ("", *ALPHABET)
    return NextToken(examples, unit="character", texts=lambda: characters)


def _encode(path: Path) -> torch.Tensor:
    """The text's characters as ids from 1."""
    try:
        text = path.read_bytes().decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(f"{path} cannot be read as plain text: {error}.") from error
    strange = set(text) - set(ALPHABET)
    if len(text) != _CHARACTERS or strange:
        raise BenchmarkError(
            f"tiny-shakespeare has {_CHARACTERS:,} characters of {len(ALPHABET)} kinds, {path} has {len(text):,} with "
            f"{len(strange)} of other kinds; fetch it again from github.com/karpathy/char-rnn."
        )
    ids = {character: n for n, character in enumerate(ALPHABET, start=1)}
    return torch.tensor([ids[character] for character in text])


def windows(ids: torch.Tensor, split: Split) -> Examples:
    """The part of `ids` that is `split`, cut into (N, L) inputs and, one character on, (N, L) targets.

    Windows do not overlap, and what is left at the end of a part is left out. Those for training are in a fixed mixed order,
    so that a fraction of them is drawn from all over the text.
    """
    begin, end = (round(bound * len(ids)) for bound in _BOUNDS[split])
    part = ids[begin:end]
    count = (len(part) - 1) // LENGTH
    inputs, targets = (part[shift : shift + count * LENGTH].reshape(count, LENGTH) for shift in (0, 1))
    if split == "train":
        order = torch.from_numpy(np.random.RandomState(0).permutation(count))
        inputs, targets = inputs[order], targets[order]
    return Examples(inputs, targets)
