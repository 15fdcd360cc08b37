"""The recordings as waveforms of one length and loudness, in splits by take or by speaker.

Axes: N recordings, L samples.
"""

import re
import wave
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nas.errors import BenchmarkError, DataMissing, quote
from nas.robustness import Groups, Scale
from nas.training import Classification, Examples, FewLabels, Split, find_data, stratified_order

FILE = "free-spoken-digits-8khz.npz"
RATE = 8_000
LENGTH = 6_400
"""Samples of an example; 98 % of the recordings are no longer."""

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
TAKES = 50
"""Of each digit by each speaker."""

SCALE = Scale(unit="the recording's root mean square")


@dataclass(frozen=True)
class Recordings:
    """Recordings in the order of digit, speaker and take."""

    samples: NDArray[np.int16]
    """Of all of them, one after the other."""
    offsets: NDArray[np.int64]
    """(N + 1,), where each begins and the last ends."""
    digit_N: NDArray[np.int64]
    speaker_N: NDArray[np.int64]
    """Position in SPEAKERS."""
    take_N: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.digit_N)

    def waveform(self, n: int) -> NDArray[np.float32]:
        """Recording `n` at a mean square of 1, in the middle of LENGTH samples of silence; of a longer one the loudest part."""
        samples = self.samples[self.offsets[n] : self.offsets[n + 1]].astype(np.float64)
        if len(samples) > LENGTH:
            energy = np.concatenate([[0.0], np.cumsum(samples**2)])
            begin = int(np.argmax(energy[LENGTH:] - energy[:-LENGTH]))
            samples = samples[begin : begin + LENGTH]
        waveform_L = np.zeros(LENGTH, dtype=np.float32)
        begin = (LENGTH - len(samples)) // 2
        waveform_L[begin : begin + len(samples)] = samples / max(1.0, np.sqrt(np.mean(samples**2)))
        return waveform_L


def load(data: Path | None) -> Classification:
    """The task whose splits are by take: 0 to 4 for the test, as the data's authors do, 5 to 9 for validation.

    Raises:
        DataMissing: the recordings are nowhere; says how to get them.
        BenchmarkError: they are not what they should be.
    """
    return _task(data, _by_take)


def load_new_speaker(data: Path | None) -> Classification:
    """The task whose splits are by speaker: of SPEAKERS the last for the test, the last but one for validation.

    Raises:
        BenchmarkError: as `load`.
    """
    return _task(data, _by_speaker)


def load_new_speaker_two_percent(data: Path | None) -> FewLabels:
    """The task of `load_new_speaker` in which one training recording of each digit by each speaker has a label.

    Raises:
        BenchmarkError: as `load`.
    """
    recordings = find_recordings(data)
    examples, groups = _examples(recordings, _by_speaker), _speakers(recordings, _by_speaker)
    return FewLabels(examples, labelled=40, scale=SCALE, groups=groups)


HeldOut = dict[Split, NDArray[np.bool_]]


def _by_take(recordings: Recordings) -> HeldOut:
    return {"test": recordings.take_N < 5, "validation": recordings.take_N // 5 == 1}


def _by_speaker(recordings: Recordings) -> HeldOut:
    return {"test": recordings.speaker_N == 5, "validation": recordings.speaker_N == 4}


def _task(data: Path | None, held_out: Callable[[Recordings], HeldOut]) -> Classification:
    recordings = find_recordings(data)
    return Classification(_examples(recordings, held_out), scale=SCALE, groups=_speakers(recordings, held_out))


def _picked(recordings: Recordings, held_out: Callable[[Recordings], HeldOut], split: Split) -> NDArray[np.intp]:
    """Which recordings `split` has, in their order."""
    masks = held_out(recordings)
    chosen_N = masks[split] if split != "train" else ~(masks["test"] | masks["validation"])
    positions = np.flatnonzero(chosen_N)
    cells = recordings.digit_N * len(SPEAKERS) + recordings.speaker_N  # every beginning holds digits and speakers alike
    return positions[stratified_order(cells[positions])]


def _examples(recordings: Recordings, held_out: Callable[[Recordings], HeldOut]) -> Callable[[Split], Examples]:
    def examples(split: Split) -> Examples:
        picked = _picked(recordings, held_out, split)
        waveforms_NL = np.stack([recordings.waveform(n) for n in picked])
        return Examples(torch.from_numpy(waveforms_NL).unsqueeze(2), torch.from_numpy(recordings.digit_N[picked]))

    return examples


def _speakers(recordings: Recordings, held_out: Callable[[Recordings], HeldOut]) -> Callable[[Split], Groups]:
    """Who speaks in each example of a split."""
    return lambda split: Groups(SPEAKERS, torch.from_numpy(recordings.speaker_N[_picked(recordings, held_out, split)]))


def find_recordings(data: Path | None) -> Recordings:
    """All recordings, from the archive or the folder.

    Raises:
        DataMissing: they are in neither.
        BenchmarkError: they are not what they should be.
    """
    for name, read in ((FILE, read_archive), ("0_george_0.wav", read_folder), ("recordings/0_george_0.wav", read_folder)):
        found = find_data(data, name)
        if found is not None:
            recordings = read(found[0] if read is read_archive else found[0].parent)
            break
    else:
        raise DataMissing(
            f"The spoken digits are not {f'in {data}' if data else 'on this machine'}; name the folder `recordings` of "
            f"github.com/Jakobovski/free-spoken-digit-dataset, or that of {FILE}, by --data or the environment variable NAS_DATA."
        )
    expected = 10 * len(SPEAKERS) * TAKES
    if len(recordings) != expected:
        raise BenchmarkError(f"{found[0].parent} holds {len(recordings):,} recordings, not {expected:,}; fetch it again.")
    return recordings


def read_archive(path: Path) -> Recordings:
    """The recordings in an .npz file with the arrays audio, offsets, label, speaker and index.

    Raises:
        BenchmarkError: it is no such file.
    """
    try:
        # numpy leaves a broken file open where it has opened it itself.
        with path.open("rb") as file, np.load(file) as archive:
            arrays = {name: archive[name] for name in ("audio", "offsets", "label", "speaker", "index")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BenchmarkError(f"{path} is no .npz file of audio, offsets, label, speaker and index: {error}.") from error
    return _in_order(
        [arrays["audio"][begin:end] for begin, end in pairwise(arrays["offsets"].tolist())],
        [
            (int(digit), _speaker(str(speaker), path), int(take))
            for digit, speaker, take in zip(arrays["label"], arrays["speaker"], arrays["index"], strict=True)
        ],
    )


def read_folder(folder: Path) -> Recordings:
    """The recordings in a folder of files called DIGIT_SPEAKER_TAKE.wav; other files are left alone.

    Raises:
        BenchmarkError: a file is of an unknown speaker, or is not one channel of 16 bits at 8 kHz.
    """
    paths = [(path, match) for path in folder.glob("*.wav") if (match := _NAME.fullmatch(path.name))]
    named = [(int(match[1]), _speaker(match[2], path), int(match[3])) for path, match in paths]
    return _in_order([_read_wav(path) for path, _ in paths], named)


_NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]+)\.wav")


def _in_order(parts: list[NDArray[np.int16]], named: list[tuple[int, int, int]]) -> Recordings:
    order = sorted(range(len(named)), key=named.__getitem__)
    offsets = np.cumsum([0, *(len(parts[n]) for n in order)])
    digit_N, speaker_N, take_N = np.array([named[n] for n in order], dtype=np.int64).T
    return Recordings(np.concatenate([parts[n] for n in order]), offsets, digit_N, speaker_N, take_N)


def _speaker(name: str, path: Path) -> int:
    if name not in SPEAKERS:
        raise BenchmarkError(f"A speaker is one of {', '.join(SPEAKERS)}, got {quote(name)} in {path}; take it out.")
    return SPEAKERS.index(name)


def _read_wav(path: Path) -> NDArray[np.int16]:
    try:
        with wave.open(str(path)) as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            content = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise BenchmarkError(f"{path} cannot be read as sound: {error}.") from error
    if form != (1, 2, RATE) or not content:
        raise BenchmarkError(
            f"A recording is one channel of 2 bytes at {RATE} Hz, got {form[0]} of {form[1]} at {form[2]} Hz and "
            f"{len(content)} bytes in {path}; fetch it again."
        )
    return np.frombuffer(content, dtype="<i2")
