"""Picture files → pixels: what they are like, which one size serves them, and each at that size.

Axes: N pictures, C channels, H height, W width.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nas.datasets.declaration import Pictures
from nas.datasets.unreadable import Unreadable

LARGEST = 64
"""Pixels of a side that is chosen; `--size` asks for more."""

_GREY = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L"})

_SIXTEEN_BITS = frozenset({"I", "I;16", "I;16B", "I;16L"})


@dataclass(frozen=True)
class Look:
    """What one file holds."""

    width: int
    height: int
    grey: bool
    """Whether red, green and blue are alike everywhere."""


def look(path: Path) -> Look:
    """Decode the file at `path`, and tell what it holds.

    Raises:
        Unreadable: it is no picture, or a broken one.
    """
    picture = _opened(path)
    grey = picture.mode == "L"
    if not grey:
        pixels_HWC = np.asarray(picture)
        grey = bool((pixels_HWC == pixels_HWC[..., :1]).all())
    return Look(picture.width, picture.height, grey)


def choose_size(looks: Sequence[Look]) -> tuple[int, int]:
    """Height and width that serve all: their own where that is one and small; else a square that few are scaled up to."""
    sizes = Counter((one.height, one.width) for one in looks)
    (height, width), _ = sizes.most_common(1)[0]
    if len(sizes) == 1 and max(height, width) <= LARGEST:
        return height, width
    if len(sizes) == 1:
        scale = LARGEST / max(height, width)
        return max(8, round(height * scale)), max(8, round(width * scale))
    side = int(np.median([min(one.height, one.width) for one in looks]))
    return next(((one, one) for one in (64, 48, 32) if one <= side), (max(8, side), max(8, side)))


def read_picture(path: Path, prepare: Pictures) -> NDArray[np.float32]:
    """The picture (C, H, W), its pixels from 0 to 1: scaled until it covers height and width, and cut off evenly around them.

    Raises:
        Unreadable: it is no picture, or a broken one.
    """
    picture = _opened(path).convert("L" if prepare.channels == 1 else "RGB")
    if picture.size != (prepare.width, prepare.height):
        picture = ImageOps.fit(picture, (prepare.width, prepare.height), method=Image.Resampling.BICUBIC)
    pixels = np.asarray(picture, dtype=np.float32) / np.float32(255)
    return pixels[None] if prepare.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def with_moments(prepare: Pictures, paths: Iterable[Path]) -> Pictures:
    """`prepare` with the mean and the deviation of each channel of the pictures at `paths`.

    Raises:
        Unreadable: one is no picture.
    """
    sums, squares, count = np.zeros(prepare.channels), np.zeros(prepare.channels), 0
    for path in paths:
        pixels = read_picture(path, prepare).astype(np.float64)
        sums += pixels.sum(axis=(1, 2))
        squares += (pixels**2).sum(axis=(1, 2))
        count += prepare.height * prepare.width
    means = sums / count
    deviations = np.sqrt(np.maximum(squares / count - means**2, 0.0))
    told = {"mean": [round(float(one), 4) for one in means], "deviation": [round(float(one), 4) or 1.0 for one in deviations]}
    return prepare.model_copy(update=told)


def standardise(pixels_NCHW: NDArray[np.float32], prepare: Pictures) -> NDArray[np.float32]:
    """Pixels less the training pictures' mean, over their deviation, channel by channel; in place."""
    pixels_NCHW -= np.asarray(prepare.mean, dtype=np.float32)[:, None, None]
    pixels_NCHW /= np.asarray(prepare.deviation, dtype=np.float32)[:, None, None]
    return pixels_NCHW


def _opened(path: Path) -> Image.Image:
    """The first picture in the file, as 8 bits grey or in colours, upright; what is transparent is white."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.filterwarnings("ignore", category=UserWarning)  # of damaged metadata, which are not read
            with Image.open(path) as file:
                file.load()
                mode = file.mode
                picture = ImageOps.exif_transpose(file)
    except Image.DecompressionBombWarning:
        raise Unreadable("it has more pixels than are decoded") from None
    except UnidentifiedImageError:
        raise Unreadable("it is no picture") from None
    except Exception as error:  # a decoder may raise anything at damaged bytes
        raise Unreadable(f"it is damaged ({type(error).__name__})") from error
    if mode in _SIXTEEN_BITS:
        values = np.asarray(picture).astype(np.int64)
        return Image.fromarray((values >> (8 if values.max(initial=0) > 255 else 0)).clip(0, 255).astype(np.uint8))
    if mode == "F":
        raise Unreadable("its pixels are fractions, whose range nobody tells")
    if "A" in picture.mode or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("L" if mode in _GREY else "RGB")
