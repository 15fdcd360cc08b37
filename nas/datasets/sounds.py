"""Sound files → samples: what they are like, which rate and length serve them, and each at these.

Axes: L samples.
"""

import wave
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.datasets.declaration import Sounds
from nas.datasets.unreadable import Unreadable

FASTEST = 16_000
"""Samples a second that are chosen; `--rate` asks for more."""

LONGEST = 4.0
"""Seconds that are chosen; `--seconds` asks for more."""

_FLOAT64 = NDArray[np.float64]


@dataclass(frozen=True)
class Hearing:
    """What one file holds."""

    rate: int
    seconds: float
    silent: bool


def listen(path: Path) -> Hearing:
    """Decode the file at `path`, and tell what it holds.

    Raises:
        Unreadable: it is no sound, or a broken one.
    """
    samples_L, rate = _decoded(path)
    return Hearing(rate, len(samples_L) / rate, not samples_L.any())


def choose_form(heard: Sequence[Hearing], rate: int | None, seconds: float | None) -> Sounds:
    """The rate that most files have, up to FASTEST, and a length that nineteen of twenty fit in, up to LONGEST."""
    common, _ = Counter(one.rate for one in heard).most_common(1)[0]
    rate = rate or min(common, FASTEST)
    usual = min(LONGEST, float(np.quantile([one.seconds for one in heard], 0.95)))
    length = round((seconds or usual) * rate)
    return Sounds(rate=rate, length=max(256, -(-length // 64) * 64 if seconds is None else length))


def read_sound(path: Path, prepare: Sounds) -> NDArray[np.float32]:
    """The sound at a mean square of 1, in the middle of silence; of a longer one the loudest part.

    Raises:
        Unreadable: it is no sound, or a broken one.
    """
    samples_L, rate = _decoded(path)
    if rate != prepare.rate:
        from scipy.signal import resample_poly  # half a second to import

        common = gcd(rate, prepare.rate)
        samples_L = resample_poly(samples_L, prepare.rate // common, rate // common)
    if len(samples_L) > prepare.length:
        energy = np.concatenate([[0.0], np.cumsum(samples_L**2)])
        begin = int(np.argmax(energy[prepare.length :] - energy[: -prepare.length]))
        samples_L = samples_L[begin : begin + prepare.length]
    waveform_L = np.zeros(prepare.length, dtype=np.float32)
    begin = (prepare.length - len(samples_L)) // 2
    loudness = float(np.sqrt(np.mean(samples_L**2)))
    waveform_L[begin : begin + len(samples_L)] = samples_L / max(1e-4, loudness)
    return waveform_L


def _decoded(path: Path) -> tuple[_FLOAT64, int]:
    """Samples from −1 to 1, several channels averaged, and how many there are a second."""
    try:
        samples_LC, rate = _by_wave(path) if path.suffix.lower() == ".wav" else _by_soundfile(path)
    except (wave.Error, EOFError):
        samples_LC, rate = _by_soundfile(path)
    except OSError as error:
        raise Unreadable(f"it cannot be opened: {error.strerror}") from error
    if not len(samples_LC):
        raise Unreadable("it holds no samples")
    if not np.isfinite(samples_LC).all():
        raise Unreadable("it has samples that are no numbers")
    return samples_LC.mean(axis=1), rate


def _by_wave(path: Path) -> tuple[_FLOAT64, int]:
    with wave.open(str(path)) as file:
        channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
        content = file.readframes(file.getnframes())
    if rate < 1 or channels < 1:
        raise Unreadable("its header is damaged")
    whole = len(content) // (width * channels) * (width * channels)
    raw = np.frombuffer(content[:whole], dtype=np.uint8)
    if width == 1:
        values = raw.astype(np.float64) - 128
    elif width == 3:
        parts = raw.reshape(-1, 3).astype(np.int32)
        values = ((parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24) >> 8).astype(np.float64)
    else:
        values = raw.view("<i2" if width == 2 else "<i4").astype(np.float64)
    return values.reshape(-1, channels) / 2.0 ** (8 * width - 1), rate


def _by_soundfile(path: Path) -> tuple[_FLOAT64, int]:
    """What the standard library cannot read, by the package soundfile where that is installed."""
    try:
        import soundfile
    except (ImportError, OSError):  # the latter where its own library is missing
        raise Unreadable("it is no sound that Python reads by itself (WAV of whole numbers); pip install soundfile") from None
    try:
        samples_LC, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except Exception as error:  # its library may raise anything at damaged bytes
        raise Unreadable(f"it is damaged ({type(error).__name__})") from error
    return samples_LC, int(rate)
