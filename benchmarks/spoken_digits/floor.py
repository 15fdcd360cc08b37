"""The floor: accuracy of logistic regression on log-spectra; `python -m benchmarks.spoken_digits.floor DATA`.

Axes: N recordings, T frames, F frequencies.
"""

import sys
from pathlib import Path

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from benchmarks.spoken_digits.task import load, load_new_speaker, load_new_speaker_two_percent
from nas.training import Examples

_WINDOW, _HOP = 256, 128


def log_spectra(examples: Examples) -> Tensor:
    """16 stretches of time × 32 bands of equal width of each waveform, (N, 512)."""
    frames_NTS = examples.inputs.squeeze(2).unfold(1, _WINDOW, _HOP) * torch.hann_window(_WINDOW)
    power_NTF = torch.fft.rfft(frames_NTS).abs().square()[:, :48, :128]
    bands_NTF: Tensor = power_NTF.reshape(len(examples), 16, 3, 32, 4).mean(dim=4).add(0.01).log()
    return bands_NTF.mean(dim=2).flatten(1)


def main(data: Path | None) -> None:
    """Print validation and test accuracy by L2 strength, of new takes, of a new speaker, and that with few labels."""
    for task in (load(data), load_new_speaker(data), load_new_speaker_two_percent(data)):
        training, validation, test = task.examples("train"), task.examples("validation"), task.examples("test")
        for strength in (0.0001, 0.001, 0.01, 0.1, 1.0):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1_000))
            model.fit(log_spectra(training), training.targets)
            scores = [model.score(log_spectra(examples), examples.targets) for examples in (validation, test)]
            print(f"C = {strength:g}: validation {scores[0]:.3f}, test {scores[1]:.3f}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
