"""Files become the numbers that one would make of them by hand."""

import struct
import wave
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from own_data import write_csv, write_picture, write_sound
from PIL import Image

from nas.benchmark import Budget
from nas.datasets.choosing import choose
from nas.datasets.declaration import Column, Pictures, Rows, Sounds
from nas.datasets.grids import read_grid
from nas.datasets.making import make_benchmark
from nas.datasets.pictures import Look, choose_size, look, read_picture
from nas.datasets.sounds import Hearing, choose_form, listen, read_sound
from nas.datasets.splits import split
from nas.datasets.tables import are_classes, choose_features, features
from nas.datasets.texts import choose_columns, encode, is_text, make_vocabulary, words_of
from nas.datasets.unreadable import Unreadable
from nas.errors import BenchmarkError
from nas.training import evaluate, load_task

GREY = Pictures(channels=1, height=2, width=3, mean=[0.0], deviation=[1.0])


def test_grey_pixels_run_from_0_to_1(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", [[0, 51, 102], [153, 204, 255]])
    assert look(path) == Look(width=3, height=2, grey=True)
    assert np.allclose(read_picture(path, GREY), [[[0, 0.2, 0.4], [0.6, 0.8, 1]]])


def test_colours_are_channels_and_grey_in_colours_is_seen(tmp_path: Path) -> None:
    colours = np.zeros((2, 3, 3), dtype=np.uint8)
    colours[..., 1] = 255
    path = write_picture(tmp_path / "a.png", colours)
    assert not look(path).grey
    assert read_picture(path, GREY.model_copy(update={"channels": 3})).mean(axis=(1, 2)).tolist() == [0, 1, 0]
    assert look(write_picture(tmp_path / "b.png", np.full((2, 3, 3), 7))).grey


def test_sixteen_bits_palettes_and_transparency_are_read(tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    Image.fromarray(np.array([[0, 65_535, 32_768]] * 2, dtype=np.uint16)).save(deep)
    assert np.allclose(read_picture(deep, GREY)[0, 0], [0, 1, 0.5], atol=0.01)
    palette = Image.new("P", (3, 2), 1)
    palette.putpalette([255, 255, 255, 0, 0, 0] + [0] * 762)
    palette.save(tmp_path / "palette.png")
    assert read_picture(tmp_path / "palette.png", GREY).max() == 0
    Image.new("RGBA", (3, 2), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png", GREY).min() == 1


def test_a_picture_of_another_size_covers_it_and_is_cut_evenly(tmp_path: Path) -> None:
    wide = np.zeros((8, 24), dtype=np.uint8)
    wide[:, 8:16] = 255
    square = Pictures(channels=1, height=8, width=8, mean=[0.0], deviation=[1.0])
    assert read_picture(write_picture(tmp_path / "a.png", wide), square).min() == 1


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(28, 28)] * 3, (28, 28)),
        ([(40, 60)] * 3, (60, 40)),
        ([(640, 480)] * 3, (48, 64)),
        ([(640, 480), (500, 375), (100, 90)], (64, 64)),
        ([(40, 50), (50, 45), (60, 50)], (32, 32)),
        ([(20, 24), (24, 24), (26, 24)], (24, 24)),
    ],
)
def test_one_size_is_chosen_that_serves_all(sizes: list[tuple[int, int]], chosen: tuple[int, int]) -> None:
    assert choose_size([Look(width, height, True) for width, height in sizes]) == chosen


def test_a_huge_picture_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_picture(tmp_path / "a.png", np.zeros((40, 40)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(Unreadable, match="it has more pixels than are decoded"):
        look(path)


def test_a_sound_stands_amid_silence_at_a_mean_square_of_1(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", np.tile([1, -1], 50))
    waveform = read_sound(path, Sounds(rate=8_000, length=300))
    assert waveform.shape == (300,)
    assert np.flatnonzero(waveform)[[0, -1]].tolist() == [100, 199]
    assert np.allclose(np.abs(waveform[100:200]), 1)


def test_of_a_longer_sound_the_loudest_part_is_kept(tmp_path: Path) -> None:
    samples = np.full(400, 0.01)
    samples[250:300] = 1
    waveform = read_sound(write_sound(tmp_path / "a.wav", samples), Sounds(rate=8_000, length=50))
    assert np.allclose(waveform, 1)


def test_channels_are_averaged_and_other_rates_brought_to_one(tmp_path: Path) -> None:
    time = np.arange(1_600) / 16_000
    tone = np.sin(2 * np.pi * 440 * time)
    path = write_sound(tmp_path / "a.wav", np.repeat(tone, 2), rate=16_000, channels=2)
    assert listen(path) == Hearing(rate=16_000, seconds=0.1, silent=False)
    waveform = read_sound(path, Sounds(rate=8_000, length=800))
    wanted = np.sin(2 * np.pi * 440 * np.arange(800) / 8_000) * np.sqrt(2)
    assert np.abs(waveform - wanted)[50:-50].max() < 0.02


@pytest.mark.parametrize(
    ("width", "content"),
    [
        (1, bytes([128, 255, 0])),
        (2, struct.pack("<3h", 0, 32_512, -32_768)),
        (3, b"\x00\x00\x00\x00\x00\x7f\x00\x00\x80"),
        (4, struct.pack("<3i", 0, 127 << 24, -128 << 24)),
    ],
)
def test_samples_of_every_width_are_the_same_sound(tmp_path: Path, width: int, content: bytes) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(8_000)
        file.writeframes(content)
    waveform = read_sound(path, Sounds(rate=8_000, length=3))
    assert np.allclose(waveform / waveform.std(), np.array([0, 127, -128]) / np.array([0, 127, -128]).std(), atol=1e-2)


def test_rate_and_length_are_those_that_most_have() -> None:
    heard = [Hearing(44_100, 0.5, False)] * 19 + [Hearing(8_000, 9.0, False)]
    assert choose_form(heard, None, None) == Sounds(rate=16_000, length=-(-round(0.925 * 16_000) // 64) * 64)
    assert choose_form(heard, 8_000, 1.0) == Sounds(rate=8_000, length=8_000)


def test_words_are_small_and_marks_are_words_and_signs_without_spaces_are_each_one() -> None:
    assert words_of("Don't  STOP, Ünïcode!") == ["don", "'", "t", "stop", ",", "ünïcode", "!"]
    assert words_of("好き movie") == ["好", "き", "movie"]


def test_a_vocabulary_is_of_words_that_stand_twice_the_most_often_first() -> None:
    texts = [["b", "a", "b"], ["a", "b", "once"], ["c", "c"]]
    assert make_vocabulary(texts) == ["[PAD]", "[UNK]", "b", "a", "c"]
    assert encode(["b b a c", "other a"], make_vocabulary(texts), 3).tolist() == [[2, 2, 3], [0, 1, 3]]
    with pytest.raises(BenchmarkError, match="No word stands twice"):
        make_vocabulary([["a"], ["b"]])


def test_columns_of_texts_are_known_by_name_or_by_their_words(tmp_path: Path) -> None:
    rows = [[n, f"some words of number {n}", f"c{n % 2}"] for n in range(10)]
    grid = read_grid(write_csv(tmp_path / "a.csv", ["id", "said", "Label"], rows))
    assert is_text(grid)
    assert choose_columns(grid, None, None) == ("said", "Label")
    assert choose_columns(grid, None, "id") == ("said", "id")
    assert not is_text(read_grid(write_csv(tmp_path / "b.csv", ["x", "y"], [[n, n % 2] for n in range(10)])))


def test_a_table_is_read_with_its_own_mark_and_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("\ufeffa;b\n1,5;x\n\n2,5;y\n".encode())
    grid = read_grid(path)
    assert grid.names == ("a", "b")
    assert grid.rows == (("1,5", "x"), ("2,5", "y"))
    assert grid.lines == (2, 4)
    tabs = tmp_path / "a.tsv"
    tabs.write_text("a\tb\n1\tx, y\n")
    assert read_grid(tabs).rows == (("1", "x, y"),)
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"a": 1.5, "b": "x"}\n{"b": null, "a": true}\n')
    assert read_grid(lines).rows == (("1.5", "x"), ("true", ""))


def test_numbers_are_standardised_by_training_rows_and_texts_become_a_feature_a_value(tmp_path: Path) -> None:
    rows = [[1, "red", 7, 0], [3, "blue", 7, 1], [5, "green", 7, 0], [100, "pink", 8, 1]]
    grid = read_grid(write_csv(tmp_path / "a.csv", ["size", "colour", "same", "label"], rows))
    columns, unused, said = choose_features(grid, [0, 1, 2], "label", [])
    assert columns == [
        Column(name="size", mean=3, deviation=np.sqrt(8 / 3)),
        Column(name="colour", values=["blue", "green", "red"]),
    ]
    assert unused == ["same"]
    assert said == ["Column 'same' has one value in all training rows and is left out."]
    found = features(grid, [0, 1, 3], columns)
    assert np.allclose(found[:, 0], (np.array([1, 3, 100]) - 3) / np.sqrt(8 / 3))
    assert found[:, 1:].tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("cells", "classes"),
    [
        (["a", "b"] * 10, True),
        ([str(n % 3) for n in range(60)], True),
        ([str(n) for n in range(60)], False),
        (["0.5", "1.5"] * 10, False),
    ],
)
def test_a_target_is_a_class_where_it_is_a_text_or_one_of_few_whole_numbers(cells: list[str], classes: bool) -> None:
    assert are_classes(cells) == classes


def test_a_number_is_measured_in_its_own_unit(tmp_path: Path) -> None:
    random = np.random.RandomState(0)
    sizes = random.rand(200)
    rows = [[f"{size:.4f}", f"{1_000 + 500 * size + random.randn():.3f}"] for size in sizes]
    benchmark = make_benchmark("prices", write_csv(tmp_path / "homes.csv", ["size", "price"], rows), tmp_path).benchmark
    task = load_task(benchmark, None)
    examples = task.examples("validation")
    assert abs(float(examples.targets.mean())) < 1
    mean = torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(mean.weight)
    torch.nn.init.zeros_(mean.bias)
    prices = np.array([float(row[1]) for row in rows])
    figures = evaluate(mean, task, examples, "validation")
    assert 0.7 * prices.std() < figures["validation_rmse"] < 1.3 * prices.std()
    assert benchmark.floor["test_rmse"] < 2
    assert benchmark.objectives[0].direction == "minimize"


def test_every_class_stands_in_every_split_in_nearly_its_share() -> None:
    labels = ["a"] * 100 + ["b"] * 20 + ["c"] * 3
    parts = split([None] * 123, labels, [str(n) for n in range(123)])
    counts = Counter(zip(labels, parts, strict=True))
    shares = {label: [counts[label, part] for part in ("train", "validation", "test")] for label in "abc"}
    assert shares == {"a": [70, 15, 15], "b": [14, 3, 3], "c": [1, 1, 1]}
    assert parts == split([None] * 123, labels, [str(n) for n in range(123)])


def test_large_data_are_seen_in_part_in_a_search_and_whole_by_finalists() -> None:
    few, many = (choose(GREY, count, 1.0) for count in (500, 60_000))
    assert few.budget.fraction == 1
    assert 2 * few.budget.epochs <= few.final_budget.epochs
    assert many.budget == Budget(epochs=4, fraction=0.16)
    assert many.final_budget == Budget(epochs=4)
    assert many.recipe.batch_size == 128
    rows = Rows(target="y", columns=[Column(name="x", mean=0.0, deviation=1.0)], mean=0.0, deviation=1.0)
    assert choose(rows, 500, None).recipe.label_smoothing == 0
