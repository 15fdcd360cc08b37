import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

import benchmarks.fashion_mnist.task as fashion
from nas.errors import BenchmarkError, DataMissing

REAL = pytest.mark.skipif(not fashion.DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")


def write_idx(path: Path, values: np.ndarray) -> None:
    """`values` as an IDX file of unsigned bytes; gzipped if the name says so."""
    content = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">i4").tobytes() + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set of the right form, 5,100 training and 20 test pictures."""
    random = np.random.RandomState(0)
    for part, count in (("train", 5_100), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", random.randint(0, 256, (count, 28, 28)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.arange(count) % 10)
    return tmp_path


@REAL
def test_the_real_splits_have_their_sizes_and_are_stratified() -> None:
    task = fashion.load(None)
    sizes = {split: len(task.examples(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 55_000, "validation": 5_000, "test": 10_000}
    for split, count in (("train", 5_500), ("validation", 500), ("test", 1_000)):
        assert torch.bincount(task.examples(split).targets).tolist() == [count] * 10
    pixels = task.examples("train").inputs
    assert pixels.shape == (55_000, 1, 28, 28)
    assert abs(pixels.mean().item()) < 0.01
    assert abs(pixels.std().item() - 1) < 0.01


@REAL
def test_few_labels_are_as_many_of_each_class_and_the_fewer_are_among_the_more() -> None:
    one, ten = (load(None) for load in (fashion.load_one_percent, fashion.load_ten_percent))
    for task, count in ((one, 55), (ten, 550)):
        assert torch.bincount(task.examples("train").targets).tolist() == [count] * 10
        assert [len(task.unlabelled(split)) for split in ("train", "validation")] == [55_000, 5_000]
        assert not task.unlabelled("train").targets.any()
        assert len(task.examples("validation")) == 5_000
        assert len(task.examples("test")) == 10_000
    assert torch.equal(ten.examples("train").inputs[:550], one.examples("train").inputs)


def test_files_are_read_zipped_or_not_and_where_torchvision_lays_them(folder: Path, tmp_path: Path) -> None:
    raw = tmp_path / "root" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for path in folder.glob("*ubyte*"):
        path.rename(raw / path.name)
    task = fashion.load(tmp_path / "root")
    assert len(task.examples("train")) == 100
    assert len(task.examples("validation")) == 5_000
    assert task.examples("test").targets.tolist() == list(range(10)) * 2


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"does not hold Fashion-MNIST; the four files are named as in train-images"):
        fashion.load(tmp_path)


def test_a_missing_data_set_says_both_ways_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion, "DEBIAN", tmp_path / "none")
    monkeypatch.setattr(fashion, "CACHE", tmp_path / "cache")
    monkeypatch.setattr("torchvision.datasets.FashionMNIST.mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(DataMissing, match=r"install Debian's package dataset-fashion-mnist, or name a folder .* by --data\.$"):
        fashion.load(None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no IDX file of unsigned bytes, or is cut short"),
        (b"\x00\x00\x08\x03\x00\x00", "is no IDX file of unsigned bytes, or is cut short"),
        (b"\x00\x00\x0d\x01\x00\x00\x00\x01\x00", "is no IDX file of unsigned bytes, or is cut short"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 9, 1, 2]), "is no IDX file of unsigned bytes, or is cut short"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1]), "hold shapes"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(folder: Path, content: bytes, message: str) -> None:
    (folder / "train-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(BenchmarkError, match=message):
        fashion.load(folder).examples("train")


def test_a_file_that_is_not_gzip_is_refused(folder: Path) -> None:
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"not gzip")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        fashion.load(folder).examples("train")
