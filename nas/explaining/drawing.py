"""Attributions as people see them: over a picture, at words, along a sound, beside numbers.

What is above 0 is orange, what is below is blue, in shades of the strongest attribution of the example.

Axes: C channels, H height, W width, L positions, F features.
"""

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Drawn
from torch import Tensor

from nas import benchmark
from nas.benchmark import Shape, Tokens, Waveform
from nas.reports.explanations import LEVELS, Part, View

SIDE = 224
"""Pixels of the longer side of a picture, at least."""

FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Two colours that people who see no red or green tell apart (Wong 2011)."""

STRETCHES = 96
"""Parts that a sound is shown in."""

MOST_NUMBERS = 40
"""Features that are shown, those that add most."""

STRONG = 0.99
"""Quantile of an example's attributions that has the strongest colour, so that one place does not outshine all."""


def view_of(inputs: Tensor, attributions: Tensor, shape: Shape, texts: Sequence[str] | None = None) -> View:
    """One example, as it is fed, and its attributions. `texts` are the tokens of the vocabulary, or the names of features."""
    values = attributions.double().numpy()
    if isinstance(shape, Tokens):
        return _text(inputs, values, texts)
    if isinstance(shape, benchmark.Image):
        return _picture(inputs.float().numpy(), values)
    if isinstance(shape, Waveform):
        loud = inputs.float().mean(1).numpy()
        return _sound(loud, values.sum(1) if values.ndim == 2 else values, shape.rate)
    if isinstance(shape, benchmark.Sequence):
        return _sequence(inputs.float().numpy(), values)
    return _numbers(inputs.float().numpy(), values, texts)


def _levels(values: NDArray[np.float64]) -> NDArray[np.int_]:
    """Shades, from −LEVELS to LEVELS."""
    scale = np.abs(values).max()
    return np.rint(LEVELS * values / scale).astype(int) if scale > 0 else np.zeros(values.shape, dtype=int)


def _picture(given_CHW: NDArray[np.float32], values_HW: NDArray[np.float64]) -> View:
    seen = (
        given_CHW.transpose(1, 2, 0) if len(given_CHW) == 3 else given_CHW.mean(0, keepdims=True).repeat(3, 0).transpose(1, 2, 0)
    )
    low, high = float(seen.min()), float(seen.max())
    grey = (seen - low) / (high - low) if high > low else np.zeros_like(seen)
    return View(
        kind="picture",
        told=_where(values_HW),
        given=_png(255 * grey),
        over=_png(_over(60 + 150 * grey.mean(2, keepdims=True).repeat(3, 2), values_HW)),
    )


def _sequence(given_LC: NDArray[np.float32], values: NDArray[np.float64]) -> View:
    """Positions from left to right, channels from top to bottom."""
    grown = values if values.ndim == 2 else np.repeat(values[:, None], given_LC.shape[1], axis=1)
    return _picture(given_LC.T[None], grown.T)


def _over(grey_HW3: NDArray[np.floating], values_HW: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours over a grey picture, the stronger the less is seen of it."""
    strongest = float(np.quantile(np.abs(values_HW), STRONG)) or float(np.abs(values_HW).max())
    strength = (
        np.clip(np.abs(values_HW) / strongest, 0, 1)[..., None] ** 0.75 if strongest > 0 else np.zeros((*values_HW.shape, 1))
    )
    colours = np.where(values_HW[..., None] > 0, np.array(FOR, dtype=float), np.array(AGAINST, dtype=float))
    mixed: NDArray[np.float64] = (1 - strength) * grey_HW3 + strength * colours
    return mixed


def _where(values_HW: NDArray[np.float64]) -> str:
    """In which parts of the picture most stands of what is above 0, in words."""
    rows, columns = (np.array_split(np.arange(side), min(3, side)) for side in values_HW.shape)
    names = ("top", "middle", "bottom"), ("left", "centre", "right")
    positive = np.maximum(values_HW, 0)
    if positive.sum() <= 0:
        return "nowhere more than nothing"
    shares = {
        f"{names[0][i]} {names[1][j]}": positive[np.ix_(some, others)].sum() / positive.sum()
        for i, some in enumerate(rows)
        for j, others in enumerate(columns)
    }
    strongest = sorted(shares.items(), key=lambda item: -item[1])[:2]
    return "most: " + ", ".join(f"{place} {100 * share:.0f} %" for place, share in strongest)


def _png(pixels_HW3: NDArray[np.floating]) -> str:
    """PNG in base64, each pixel a square."""
    grown = max(1, math.ceil(SIDE / max(pixels_HW3.shape[:2])))
    drawn = Drawn.fromarray(np.clip(np.rint(pixels_HW3), 0, 255).astype(np.uint8), mode=None)
    drawn = drawn.resize((drawn.width * grown, drawn.height * grown), Drawn.Resampling.NEAREST)
    file = io.BytesIO()
    drawn.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _text(ids_L: Tensor, values_L: NDArray[np.float64], texts: Sequence[str] | None) -> View:
    """Without padding, the token 0."""
    levels = _levels(values_L)
    parts = tuple(
        Part(text=_token(int(number), texts), value=float(value), level=int(level))
        for number, value, level in zip(ids_L.tolist(), values_L, levels, strict=True)
        if number
    )
    view = View(kind="text", told="", parts=parts)
    return View(kind="text", told=_named(view.strongest), parts=parts)


def _token(number: int, texts: Sequence[str] | None) -> str:
    return texts[number] if texts is not None and number < len(texts) else f"#{number}"


def _sound(loud_L: NDArray[np.float32], values_L: NDArray[np.float64], rate: int) -> View:
    stretches = np.array_split(np.arange(len(loud_L)), min(STRETCHES, len(loud_L)))
    sums = np.array([values_L[some].sum() for some in stretches])
    loudest = float(np.abs(loud_L).max()) or 1.0
    parts = tuple(
        Part(
            text=f"{1000 * some[0] / rate:.0f} to {1000 * (some[-1] + 1) / rate:.0f} ms",
            value=float(value),
            level=int(level),
            low=float(loud_L[some].min() / loudest),
            high=float(loud_L[some].max() / loudest),
        )
        for some, value, level in zip(stretches, sums, _levels(sums), strict=True)
    )
    view = View(kind="sound", told="", parts=parts)
    return View(kind="sound", told=_named(view.strongest), parts=parts)


def _numbers(given_F: NDArray[np.float32], values_F: NDArray[np.float64], texts: Sequence[str] | None) -> View:
    levels = _levels(values_F)
    chosen = sorted(range(len(values_F)), key=lambda n: -abs(values_F[n]))[:MOST_NUMBERS]
    parts = tuple(
        Part(
            text=f"{texts[n] if texts is not None and n < len(texts) else f'feature {n}'} = {given_F[n]:.3g}",
            value=float(values_F[n]),
            level=int(levels[n]),
        )
        for n in chosen
    )
    return View(kind="numbers", told=_named(parts[:8]), parts=parts)


def _named(parts: Sequence[Part]) -> str:
    """The strongest, in words."""
    told = {
        way: [part.text for part in parts if (part.level > 0) == up and part.level][:3]
        for way, up in (("most", True), ("least", False))
    }
    words = [f"{way}: {', '.join(names)}" for way, names in told.items() if names]
    return "; ".join(words) or "nothing more than nothing"
