import hashlib
import os
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

import benchmarks.spoken_digits.task as spoken
from benchmarks.spoken_digits import BENCHMARK, NEW_SPEAKER
from nas.benchmark import Waveform
from nas.errors import BenchmarkError, DataMissing

SHARED = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / "shared" / "data")
ARCHIVE = SHARED / "train" / spoken.FILE
REAL = pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"{spoken.FILE} is not on this machine")

LOADERS = {"spoken_digits": spoken.load, "spoken_digits_new_speaker": spoken.load_new_speaker}
SIZES = {
    "spoken_digits": {"train": 2_400, "validation": 300, "test": 300},
    "spoken_digits_new_speaker": {"train": 2_000, "validation": 500, "test": 500},
}


def write_wav(path: Path, samples: np.ndarray, *, channels: int = 1, width: int = 2, rate: int = 8_000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())


def made_up() -> dict[str, np.ndarray]:
    """An archive of the right form: recording n is one of 10 + n samples of n + 1, in the order of digit, speaker, take."""
    names = [(digit, speaker, take) for digit in range(10) for speaker in spoken.SPEAKERS for take in range(50)]
    lengths = 10 + np.arange(len(names))
    return {
        "audio": np.repeat(np.arange(1, len(names) + 1), lengths).astype(np.int16),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]),
        "label": np.array([digit for digit, _, _ in names], dtype=np.uint8),
        "speaker": np.array([speaker for _, speaker, _ in names]),
        "index": np.array([take for _, _, take in names], dtype=np.uint8),
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    np.savez(tmp_path / spoken.FILE, **made_up())
    return tmp_path


@pytest.mark.parametrize("name", LOADERS)
def test_splits_keep_takes_or_speakers_apart(name: str, folder: Path) -> None:
    """A made-up recording is as long as its number says, which tells its take and its speaker."""
    task = LOADERS[name](folder)
    held: dict[str, set[tuple[int, int]]] = {}
    for split, size in SIZES[name].items():
        examples = task.examples(split)
        assert torch.bincount(examples.targets).tolist() == [size // 10] * 10
        numbers = (examples.inputs != 0).sum(dim=(1, 2)) - 10
        assert torch.equal(numbers // 300, examples.targets)
        assert task.groups is not None
        groups = task.groups(split)  # type: ignore[arg-type]  # a split's name
        assert groups.names == spoken.SPEAKERS
        assert torch.equal(groups.numbers_N, numbers // 50 % 6)
        held[split] = {(n // 50 % 6, n % 50) for n in numbers.tolist()}
        speakers = torch.bincount(numbers[: size // 2] // 50 % 6)
        assert speakers.max() - speakers[speakers > 0].min() <= 4
    everyone = {(speaker, take) for speaker in range(6) for take in range(50)}
    if name == "spoken_digits":
        assert held["test"] == {pair for pair in everyone if pair[1] < 5}
        assert held["validation"] == {pair for pair in everyone if 5 <= pair[1] < 10}
    else:
        assert held["test"] == {pair for pair in everyone if pair[0] == 5}
        assert held["validation"] == {pair for pair in everyone if pair[0] == 4}
    assert held["train"] == everyone - held["validation"] - held["test"]


def test_labels_are_of_all_digits_and_speakers_alike_and_no_unlabelled_recording_is_of_a_held_out_speaker(folder: Path) -> None:
    task = spoken.load_new_speaker_two_percent(folder)
    for examples, each in ((task.examples("train"), 1), (task.unlabelled("train"), 50)):
        numbers = (examples.inputs != 0).sum(dim=(1, 2)) - 10  # a made-up recording is as long as its number says
        assert torch.bincount(numbers // 50).tolist() == [each if cell % 6 < 4 else 0 for cell in range(58)]


def recordings(*samples: np.ndarray) -> spoken.Recordings:
    zeros = np.zeros(len(samples), dtype=np.int64)
    return spoken.Recordings(np.concatenate(samples), np.cumsum([0, *map(len, samples)]), zeros, zeros, zeros)


def test_a_recording_lies_in_the_middle_of_silence_at_a_mean_square_of_1() -> None:
    waveform = recordings(np.array([300, -400], dtype=np.int16)).waveform(0)
    assert waveform[3_199:3_201].tolist() == pytest.approx([300 / 353.5534, -400 / 353.5534])
    assert np.count_nonzero(waveform) == 2
    assert waveform.shape == (spoken.LENGTH,)


def test_of_a_long_recording_the_loudest_part_is_kept() -> None:
    samples = np.ones(10_000, dtype=np.int16)
    samples[3_000:9_400] = 5
    assert np.allclose(recordings(samples).waveform(0), 1)


def test_silence_stays_silence() -> None:
    assert not recordings(np.zeros(5, dtype=np.int16)).waveform(0).any()


@REAL
@pytest.mark.parametrize("name", LOADERS)
def test_the_real_recordings_are_those_of_version_1(name: str) -> None:
    """Where this fails, a score means something else: raise the benchmark's version."""
    examples = LOADERS[name](SHARED).examples("validation")
    samples = examples.inputs.mul(100).round().to(torch.int16).numpy()
    assert hashlib.sha256(samples.tobytes() + examples.targets.numpy().tobytes()).hexdigest() == PINNED[name]
    assert examples.inputs.shape[1:] == BENCHMARK.signature.input.axes == NEW_SPEAKER.signature.input.axes
    assert BENCHMARK.version == NEW_SPEAKER.version == 1


PINNED = {
    "spoken_digits": "bcc81bd6343fed7632b9f23ee309c39acb7f6e6692377a2a82f215bceed2e1b1",
    "spoken_digits_new_speaker": "b4c105ef2c3f966baa6784486755367a865da14749828c464466e383ece803a9",
}


@REAL
def test_a_folder_of_recordings_is_read_as_the_archive_is(tmp_path: Path) -> None:
    whole = spoken.read_archive(ARCHIVE)
    picked = [0, 7, 1_234, 2_999]
    for n in picked:
        name = f"{whole.digit_N[n]}_{spoken.SPEAKERS[whole.speaker_N[n]]}_{whole.take_N[n]}.wav"
        write_wav(tmp_path / name, whole.samples[whole.offsets[n] : whole.offsets[n + 1]])
    (tmp_path / "README.md").write_text("not a recording")
    read = spoken.read_folder(tmp_path)
    assert len(read) == len(picked)
    for n, original in enumerate(picked):
        assert np.array_equal(read.waveform(n), whole.waveform(original))
        assert (read.digit_N[n], read.speaker_N[n], read.take_N[n]) == (
            whole.digit_N[original],
            whole.speaker_N[original],
            whole.take_N[original],
        )


def test_takes_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for take in (10, 9, 1):
        write_wav(tmp_path / f"3_theo_{take}.wav", np.array([take]))
    read = spoken.read_folder(tmp_path)
    assert read.take_N.tolist() == read.samples.tolist() == [1, 9, 10]


def test_missing_recordings_say_both_ways_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_DATA", raising=False)
    ways = (
        r"name the folder `recordings` of github\.com/Jakobovski/free-spoken-digit-dataset, or that of "
        r"free-spoken-digits-8khz\.npz, by --data or the environment variable NAS_DATA\.$"
    )
    for data, place in ((None, "on this machine"), (tmp_path, f"in {tmp_path}")):
        with pytest.raises(DataMissing, match=rf"^The spoken digits are not {place}; {ways}"):
            spoken.load(data)


def test_a_folder_that_lacks_recordings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recordings").mkdir()
    write_wav(tmp_path / "recordings" / "0_george_0.wav", np.array([1]))
    with pytest.raises(BenchmarkError, match=r"recordings holds 1 recordings, not 3,000; fetch it again\.$"):
        spoken.load(tmp_path)


def test_an_unknown_speaker_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "0_ada_0.wav", np.array([1]))
    with pytest.raises(BenchmarkError, match=r"^A speaker is one of george, .*, got 'ada' in .*0_ada_0\.wav; take it out\.$"):
        spoken.read_folder(tmp_path)


@pytest.mark.parametrize(
    ("form", "seen"),
    [
        ({"rate": 16_000}, "1 of 2 at 16000 Hz and 4 bytes"),
        ({"channels": 2}, "2 of 2 at 8000 Hz and 4 bytes"),
        ({"width": 1}, "1 of 1 at 8000 Hz and 4 bytes"),
    ],
)
def test_a_recording_of_another_form_is_refused(tmp_path: Path, form: dict[str, int], seen: str) -> None:
    write_wav(tmp_path / "0_theo_0.wav", np.array([1, 2]), **form)
    with pytest.raises(BenchmarkError, match=rf"^A recording is one channel of 2 bytes at 8000 Hz, got {seen} in .*again\.$"):
        spoken.read_folder(tmp_path)


def test_a_file_that_is_no_sound_and_one_that_is_no_archive_are_refused(tmp_path: Path) -> None:
    (tmp_path / "0_theo_0.wav").write_bytes(b"RIFF")
    with pytest.raises(BenchmarkError, match="cannot be read as sound"):
        spoken.read_folder(tmp_path)
    (tmp_path / spoken.FILE).write_bytes(b"PK\x03\x04")
    with pytest.raises(BenchmarkError, match=r"is no \.npz file of audio, offsets, label, speaker and index"):
        spoken.load(tmp_path)
    np.savez(tmp_path / spoken.FILE, audio=np.zeros(3))
    with pytest.raises(BenchmarkError, match=r"is no \.npz file of audio, offsets, label, speaker and index"):
        spoken.load(tmp_path)


def test_the_signature_is_the_waveform_that_is_made() -> None:
    assert BENCHMARK.signature.input == Waveform(length=spoken.LENGTH, channels=1, rate=spoken.RATE)
