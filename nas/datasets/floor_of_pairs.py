"""The floor of pairs: what the nearest text's answer reaches, and what linear maps of pictures and captions find.

Axes: N examples, F numbers, K components.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.datasets.declaration import Captions
from nas.datasets.floor import Arrays, Floor, reduced_pictures, word_counts
from nas.datasets.listing import Part

COMPONENTS = (8, 32, 64)
"""Of which validation chooses how many pictures and captions are brought down to."""


def nearest(pairs: Mapping[Part, Sequence[tuple[str, str]]]) -> Floor:
    """chrF of the target of the training pair whose source is nearest, and of the source itself; validation chooses."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    from nas.protocols.translation import chrf

    known, said = [source for source, _ in pairs["train"]], [target for _, target in pairs["train"]]
    weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4)).fit(known)
    trained = weigh.transform(known)
    parts: tuple[Part, ...] = ("validation", "test")
    found: dict[str, dict[str, float]] = {"the source itself": {}, "the target of the nearest training source": {}}
    for part in parts:
        sources, targets = [source for source, _ in pairs[part]], [target for _, target in pairs[part]]
        near = [
            n for begin in range(0, len(sources), 512) for n in _argmax(weigh.transform(sources[begin : begin + 512]), trained)
        ]
        answers = zip(found, (sources, [said[n] for n in near]), strict=True)
        for name, answer in answers:
            found[name][f"{part}_chrf"] = round(chrf(answer, targets), 2)
    best = max(found, key=lambda name: found[name]["validation_chrf"])
    return Floor(found[best], f"{best} (TF-IDF of 2 to 4 characters), the better of 2 on validation")


def _argmax(asking: Any, known: Any) -> list[int]:
    return [int(n) for n in np.asarray((asking @ known.T).argmax(axis=1)).ravel()]


def correlated(arrays: Arrays, prepare: Captions) -> Floor:
    """Recall in the space of canonical correlations of pixels and of words."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from threadpoolctl import threadpool_limits

    pixels = prepare.pixels
    size = pixels.channels * pixels.height * pixels.width
    shape = (-1, pixels.channels, pixels.height, pixels.width)
    with threadpool_limits(1):
        pictures = reduced_pictures({part: inputs[:, :size].reshape(shape) for part, (inputs, _) in arrays.items()})
        counts = {part: word_counts(inputs[:, size:].astype(np.int64), prepare.words) for part, (inputs, _) in arrays.items()}
        weigh = TfidfTransformer(sublinear_tf=True).fit(counts["train"])
        words = {part: weigh.transform(one) for part, one in counts.items()}
        figures, components = correlations(pictures, words, {part: groups for part, (_, groups) in arrays.items()})
    by = f"canonical correlations of {components} components of pixels and of words' TF-IDF, the best on validation"
    return Floor({name: round(value, 4) for name, value in figures.items()}, by)


def correlations(
    pictures: Mapping[Part, Any], words: Mapping[Part, Any], groups: Mapping[Part, NDArray[np.int64]]
) -> tuple[dict[str, float], int]:
    """Recall in the space of canonical correlations (Hotelling 1936, Biometrika 28), each weighed by its strength.

    `pictures` are rows of numbers and `words` sparse ones; both are brought down to the components that are best on validation,
    which are told.
    """
    import torch
    from sklearn.decomposition import TruncatedSVD

    from nas.protocols.retrieval import Recall

    most = min(*pictures["train"].shape, words["train"].shape[1] - 1, len(groups["train"]) // 4)
    found: list[tuple[float, int, dict[str, float]]] = []
    parts: tuple[Part, ...] = ("validation", "test")
    for components in sorted({max(1, min(most, one)) for one in COMPONENTS}):
        texts = TruncatedSVD(components, random_state=0).fit(words["train"])
        said = {part: texts.transform(one) for part, one in words.items()}
        look, read = _canonical(pictures["train"], said["train"], components)
        figures: dict[str, float] = {}
        for part in parts:
            recall = Recall(("image", "text"), by_class=True, by_direction=False)
            vectors_NMD = np.stack([look(pictures[part]), read(said[part])], axis=1)
            recall.update(torch.from_numpy(vectors_NMD), torch.from_numpy(groups[part]))
            figures |= {f"{part}_{name}": value for name, value in recall.compute().items()}
        found.append((figures["validation_recall_at_5"], components, figures))
    _, components, figures = max(found, key=lambda one: one[0])
    return figures, components


def _canonical(left_NF: NDArray[Any], right_NF: NDArray[Any], components: int) -> tuple[Any, Any]:
    """What brings each side into the space."""
    whitened = [_whiten(side, components) for side in (left_NF, right_NF)]
    (left, move_left), (right, move_right) = whitened
    turn_left, strengths, turn_right = np.linalg.svd(left.T @ right / len(left), full_matrices=False)
    return (
        lambda side: move_left(side) @ (turn_left * strengths),
        lambda side: move_right(side) @ (turn_right.T * strengths),
    )


def _whiten(side_NF: NDArray[Any], components: int) -> tuple[NDArray[Any], Any]:
    """The first principal components at equal scale, and what gives them of others."""
    mean_F = side_NF.mean(axis=0)
    _, scales, axes_KF = np.linalg.svd(side_NF - mean_F, full_matrices=False)
    kept = scales[:components] > 1e-6 * scales[0]
    turn_FK = axes_KF[:components][kept].T / scales[:components][kept] * np.sqrt(len(side_NF))

    def move(other_NF: NDArray[Any]) -> NDArray[Any]:
        moved: NDArray[Any] = (other_NF - mean_F) @ turn_FK
        return moved

    return move(side_NF), move
