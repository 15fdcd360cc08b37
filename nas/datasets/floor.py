"""The floor: what a linear model reaches on the same splits, in seconds.

Axes: N examples, F features.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.datasets.declaration import Pictures, Rows, Sounds, Texts
from nas.datasets.listing import PARTS, Part

STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Values of C, the inverse of the L2 strength, of which validation chooses one."""

MOST_EXAMPLES = 5_000
"""Training examples that it is fitted to, drawn with a fixed seed."""

MOST_COMPONENTS = 128
"""Principal components that pictures and spectra are brought down to, which is linear too."""

_WINDOW = 256


@dataclass(frozen=True)
class Floor:
    """What it reaches, by figure, and how it was found."""

    figures: Mapping[str, float]
    by: str


Arrays = Mapping[Part, tuple[NDArray[Any], NDArray[Any]]]


def linear_floor(arrays: Arrays, prepare: Pictures | Sounds | Texts | Rows, metrics: tuple[str, ...]) -> Floor:
    """The figures of a linear model fitted to the training examples in `arrays`, on validation and test.

    Of the strengths that are tried, the one that is best on validation data counts; the test is read once.
    """
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        if isinstance(prepare, Rows) and prepare.mean is not None:
            return _numbers(arrays, prepare)
        return _classes(arrays, prepare, metrics)


def _classes(arrays: Arrays, prepare: Pictures | Sounds | Texts | Rows, metrics: tuple[str, ...]) -> Floor:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

    balanced = "balanced_accuracy" in metrics
    measures: dict[str, Callable[[Any, Any], float]] = {"accuracy": accuracy_score}
    if balanced:
        measures |= {
            "balanced_accuracy": balanced_accuracy_score,
            "f1": lambda wanted, given: f1_score(wanted, given, average="macro", zero_division=0),
        }
    some = _some(len(arrays["train"][1]))
    features, words = _features({**arrays, "train": (arrays["train"][0][some], arrays["train"][1][some])}, prepare)
    targets = {part: arrays[part][1] for part in PARTS} | {"train": arrays["train"][1][some]}
    steering = "balanced_accuracy" if balanced else "accuracy"
    best: tuple[float, float, Any] | None = None
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=200, class_weight="balanced" if balanced else None)
        model.fit(features["train"], targets["train"])
        score = measures[steering](targets["validation"], model.predict(features["validation"]))
        if best is None or score > best[0]:
            best = (score, strength, model)
    assert best is not None  # noqa: S101 - there are several strengths
    answers = {part: best[2].predict(features[part]) for part in ("validation", "test")}
    figures = {
        f"{part}_{name}": round(float(measure(targets[part], answers[part])), 4)  # type: ignore[index]
        for part in answers
        for name, measure in measures.items()
    }
    by = f"logistic regression on {words}{_of(some, arrays)}; C = {best[1]:g}, the best of {len(STRENGTHS)} on validation"
    return Floor(figures, f"{by}; classes weighed alike" if balanced else by)


def _numbers(arrays: Arrays, prepare: Rows) -> Floor:
    from sklearn.linear_model import Ridge

    deviation = prepare.deviation or 1.0
    some = _some(len(arrays["train"][1]))
    (given, wanted), (held_given, held), (test_given, test) = (arrays[part] for part in PARTS)
    found = []
    for strength in (0.01, 0.1, 1.0, 10.0, 100.0):
        model = Ridge(alpha=strength).fit(given[some], wanted[some, 0])
        found.append((_rmse(model.predict(held_given), held[:, 0]) * deviation, strength, model))
    rmse, strength, model = min(found, key=lambda one: one[0])
    answers = model.predict(test_given)
    spread = float(np.mean((test[:, 0] - test[:, 0].mean()) ** 2))
    figures = {"validation_rmse": rmse, "test_rmse": _rmse(answers, test[:, 0]) * deviation}
    if spread > 0:
        figures["test_r2"] = 1 - _rmse(answers, test[:, 0]) ** 2 / spread
    by = f"ridge regression on the same features{_of(some, arrays)}; strength {strength:g}, the best of 5 on validation"
    return Floor({name: float(f"{value:.5g}") for name, value in figures.items()}, by)


def _rmse(answers: NDArray[Any], wanted: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean((answers.astype(np.float64) - wanted) ** 2)))


def _some(count: int) -> NDArray[np.intp]:
    """Positions of the examples that it is fitted to."""
    return np.sort(np.random.RandomState(0).permutation(count)[:MOST_EXAMPLES])


def _of(some: NDArray[np.intp], arrays: Arrays) -> str:
    count = len(arrays["train"][1])
    return f" of {len(some):,} of {count:,} training examples" if len(some) < count else ""


def _features(arrays: Arrays, prepare: Pictures | Sounds | Texts | Rows) -> tuple[dict[Part, Any], str]:
    """What the model is fed, by split, and that in words."""
    if isinstance(prepare, Texts):
        from sklearn.feature_extraction.text import TfidfTransformer

        counts = {part: word_counts(inputs, prepare.words) for part, (inputs, _) in arrays.items()}
        weigh = TfidfTransformer(sublinear_tf=True).fit(counts["train"])
        return {part: weigh.transform(one) for part, one in counts.items()}, "TF-IDF of the same words"
    if isinstance(prepare, Rows):
        return {part: inputs for part, (inputs, _) in arrays.items()}, "the same features"
    if isinstance(prepare, Sounds):
        flat = {part: _log_spectra(inputs[..., 0]) for part, (inputs, _) in arrays.items()}
        words = "log-spectra"
    else:
        flat = {part: _small(inputs) for part, (inputs, _) in arrays.items()}
        words = "pixels" if max(prepare.height, prepare.width) <= 2 * _SMALL else f"pixels brought down to {_SMALL} a side or so"
    return _brought_down(flat, words)


def _brought_down(flat: dict[Part, NDArray[np.float32]], words: str) -> tuple[dict[Part, Any], str]:
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    count, width = flat["train"].shape
    scaled: dict[Part, Any] = dict(flat)
    if min(count, width) > MOST_COMPONENTS:
        model = PCA(MOST_COMPONENTS, random_state=0, svd_solver="randomized").fit(flat["train"])
        scaled = {part: model.transform(one) for part, one in flat.items()}
        words = f"{MOST_COMPONENTS} principal components of {words}"
        overall = np.sqrt(float(scaled["train"].var(axis=0).mean())) or 1.0
        return {part: one / overall for part, one in scaled.items()}, words
    scaler = StandardScaler().fit(scaled["train"])
    return {part: scaler.transform(one) for part, one in scaled.items()}, words


_SMALL = 32


def reduced_pictures(pixels: Mapping[Part, NDArray[np.float32]]) -> dict[Part, Any]:
    """Pictures (N, C, H, W) as the rows of numbers that a linear model is fitted to."""
    return _brought_down({part: _small(one) for part, one in pixels.items()}, "")[0]


def _small(pixels_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pixels in a row (N, F), blocks of larger pictures averaged."""
    count, channels, height, width = pixels_NCHW.shape
    down, across = max(1, height // _SMALL), max(1, width // _SMALL)
    cut = pixels_NCHW[:, :, : height // down * down, : width // across * across]
    blocks = cut.reshape(count, channels, height // down, down, width // across, across)
    small: NDArray[np.float32] = blocks.mean(axis=(3, 5)).reshape(count, -1)
    return small


def word_counts(ids_NL: NDArray[np.int64], words: int) -> Any:
    """How often each word stands in each text, (N, words); padding is left out."""
    from scipy.sparse import csr_matrix

    rows, columns = np.nonzero(ids_NL)
    return csr_matrix((np.ones(len(rows)), (rows, ids_NL[rows, columns])), shape=(len(ids_NL), words))


def _log_spectra(waveforms_NL: NDArray[np.float32]) -> NDArray[np.float32]:
    """16 stretches of time × 32 bands of equal width of each sound, (N, 512)."""
    found = []
    for start in range(0, len(waveforms_NL), 256):  # spectra of many take much memory
        part_NL = waveforms_NL[start : start + 256]
        hop = max(1, (part_NL.shape[1] - _WINDOW) // 96) if part_NL.shape[1] > _WINDOW else 1
        frames_NTS = np.lib.stride_tricks.sliding_window_view(part_NL, min(_WINDOW, part_NL.shape[1]), axis=1)[:, ::hop]
        power_NTF = np.abs(np.fft.rfft(frames_NTS * np.hanning(frames_NTS.shape[2]))) ** 2
        bands = np.stack([one.mean(axis=2) for one in np.array_split(power_NTF[..., 1:], 32, axis=2)], axis=2)
        logs = np.log(bands + 0.01)
        times = np.stack([one.mean(axis=1) for one in np.array_split(logs, min(16, logs.shape[1]), axis=1)], axis=1)
        found.append(times.reshape(len(part_NL), -1).astype(np.float32))
    return np.concatenate(found)
