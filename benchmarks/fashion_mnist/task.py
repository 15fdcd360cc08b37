"""The pictures as tensors, in fixed splits: 55,000 training, 5,000 validation (stratified), and the official 10,000 test.

Of the training pictures all have labels, or a tenth, or a hundredth.

Axes: N examples, H height, W width.
"""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas.errors import BenchmarkError, DataMissing
from nas.robustness import Scale
from nas.training import Classification, Examples, FewLabels, Split, stratified_order

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package dataset-fashion-mnist puts the files."""

CACHE = Path("~/.cache/nas/fashion_mnist")
"""Where torchvision's download goes."""

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
MEAN, DEVIATION = 72.94, 90.02
"""Of all training pixels, which run from 0 to 255."""

SCALE = Scale(mean=MEAN / 255, deviation=DEVIATION / 255, low=0.0, high=1.0, unit="brightness from 0 to 1")

_VALIDATION = 5_000


def load(data: Path | None) -> Classification:
    """The task, from the IDX files in `data`, in Debian's folder, or downloaded by torchvision.

    Raises:
        DataMissing: the files are nowhere; says how to get them.
        BenchmarkError: they are not what they should be.
    """
    return Classification(_examples(data), scale=SCALE)


def load_ten_percent(data: Path | None) -> FewLabels:
    """The task in which 550 training pictures of each class have labels.

    Raises:
        BenchmarkError: as `load`.
    """
    return FewLabels(_examples(data), labelled=5_500, scale=SCALE)


def load_one_percent(data: Path | None) -> FewLabels:
    """The task in which 55 training pictures of each class have labels, which are among those of `load_ten_percent`.

    Raises:
        BenchmarkError: as `load`.
    """
    return FewLabels(_examples(data), labelled=550, scale=SCALE)


def _examples(data: Path | None) -> Callable[[Split], Examples]:
    folder = _folder(data)

    def examples(split: Split) -> Examples:
        images_NHW, labels_N = _read(folder, "test" if split == "test" else "train")
        if split != "test":
            order = stratified_order(labels_N)
            picked = order[:-_VALIDATION] if split == "train" else order[-_VALIDATION:]
            images_NHW, labels_N = images_NHW[picked], labels_N[picked]
        images = torch.from_numpy(images_NHW).float().sub_(MEAN).div_(DEVIATION)
        return Examples(images.unsqueeze(1), torch.from_numpy(labels_N).long())

    return examples


def _folder(data: Path | None) -> Path:
    """The folder that holds all four files."""
    if data is not None:
        for folder in _inside(data):
            if _complete(folder):
                return folder
        raise DataMissing(f"{data} does not hold Fashion-MNIST; the four files are named as in {_FILES['train'][0]}[.gz].")
    for folder in (DEBIAN, *_inside(CACHE.expanduser())):
        if _complete(folder):
            return folder
    return _download()


def _inside(folder: Path) -> Iterator[Path]:
    """Where the files may lie in a folder that a user names: there, or as torchvision lays them."""
    yield from (folder, folder / "raw", folder / "FashionMNIST" / "raw")


def _complete(folder: Path) -> bool:
    return all(_find(folder, name) is not None for names in _FILES.values() for name in names)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _download() -> Path:
    from torchvision.datasets import FashionMNIST  # seconds to import, and needed only here

    root = CACHE.expanduser()
    try:
        FashionMNIST(str(root), download=True)
    except (OSError, RuntimeError) as error:
        raise DataMissing(
            "Fashion-MNIST is not on this machine and cannot be downloaded; install Debian's package dataset-fashion-mnist, "
            "or name a folder with its four IDX files by --data."
        ) from error
    return root / "FashionMNIST" / "raw"


def _read(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images, labels = (_read_idx(_find(folder, name), folder, name) for name in _FILES[part])
    if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise BenchmarkError(f"The {part} files in {folder} hold shapes {images.shape} and {labels.shape}, not N×28×28 and N.")
    return images, labels


def _read_idx(path: Path | None, folder: Path, name: str) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file (the format is described at yann.lecun.com/exdb/mnist)."""
    if path is None:
        raise BenchmarkError(f"{folder} has lost the file {name}.")
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise BenchmarkError(f"{path} cannot be read: {error}.") from error
    axes = content[3] if len(content) > 3 and content[:3] == b"\x00\x00\x08" else 0
    shape = np.frombuffer(content, dtype=">i4", count=axes, offset=4).tolist() if len(content) >= 4 + 4 * axes else []
    if not axes or len(content) - 4 - 4 * axes != np.prod(shape, dtype=np.int64):
        raise BenchmarkError(f"{path} is no IDX file of unsigned bytes, or is cut short; fetch it again.")
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * axes).reshape(shape).copy()  # torch wants to own it
