from pathlib import Path

import numpy as np
import pytest
from test_emoji import REAL, made_up

import benchmarks.emoji.file as held
from benchmarks.emoji.task import load as load_emoji
from benchmarks.emoji_captions import BENCHMARK
from benchmarks.emoji_captions.floor import main as measure_floor
from benchmarks.emoji_captions.task import load
from nas.benchmark import Modalities, Tokens
from nas.testing import check_benchmark


def test_each_emoji_is_its_picture_and_its_english_name_in_the_splits_of_emoji(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = made_up()
    np.savez(tmp_path / held.FILE, **arrays)
    monkeypatch.setattr(held, "DIGEST", held.digest(arrays))
    given = BENCHMARK.signature.input
    assert isinstance(given, Modalities)
    task, classes = load(tmp_path), load_emoji(tmp_path)
    seen: list[int] = []
    for split in ("train", "validation", "test"):
        examples = task.examples(split)
        others = classes.examples(split).inputs[:, given.span("image")]
        shown = {picture.numpy().tobytes() for picture in examples.inputs[:, given.span("image")]}
        assert shown == {picture.numpy().tobytes() for picture in others}
        letters = ["".join(arrays["alphabet"][int(i) - 1] for i in row if i) for row in examples.inputs[:, given.span("text")]]
        assert letters == [f"name {n}" for n in examples.targets.tolist()]
        seen += examples.targets.tolist()
    assert sorted(seen) == list(range(90))


@REAL
def test_the_floor_is_what_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    measure_floor(None)
    last = capsys.readouterr().out.splitlines()[-1]
    for figure, value in BENCHMARK.floor.items():
        assert f"{figure.replace('_', ' ')} {value:.3f}" in last


@REAL
def test_the_real_captions_keep_to_every_rule_of_a_benchmark() -> None:
    assert {str(rule): problem for rule, problem in check_benchmark(BENCHMARK) if problem} == {}


def test_the_signature_is_that_of_the_data() -> None:
    given = BENCHMARK.signature.input
    assert isinstance(given, Modalities)
    assert dict(given.parts)["text"] == Tokens(held.LENGTH, 77)
