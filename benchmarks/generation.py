"""What benchmarks of generated pictures share: rows of noise, and the classifiers in whose features pictures are compared.

A classifier is trained once, from seed 0, on the training pictures of a benchmark of classes, by that benchmark's recipe. Its
weights lie beside the benchmark of generation that uses it, which says their SHA-256, so that a distance is always in the
same features. One that is trained again on another machine may differ in its last bits, and is another version.

Axes: N pictures, C channels, H height, W width, F features or numbers of a row, Z numbers of noise, K classes.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn.functional import one_hot

from nas.benchmark import Benchmark, Budget, Image
from nas.errors import BenchmarkError
from nas.files import write_whole
from nas.training import Classification, Examples, Generation, Method, Split, train

FEATURES = 32
"""Of a picture, as a classifier sees it."""

SEEDS: Mapping[Split, int] = {"train": 0, "validation": 1, "test": 2}
"""Of the noise in the rows of a split."""


class FixedClassifier(nn.Module):
    """Three convolutions, a layer of features, a layer of classes; pixels run from −1 to 1."""

    def __init__(self, image: Image, classes: int) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        channels, height, width = image.axes
        for features, stride in ((16, 1), (32, 2), (32, 2)):
            steps += [nn.Conv2d(channels, features, 3, stride=stride, padding=1), nn.ReLU()]
            channels, height, width = features, (height - 1) // stride + 1, (width - 1) // stride + 1
        self.trunk = nn.Sequential(*steps, nn.Flatten(), nn.Linear(channels * height * width, FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        """Logits (N, K)."""
        logits_NK: Tensor = self.head(self.trunk(images_NCHW))
        return logits_NK

    def judge(self, images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, F) and logits (N, K) of pictures on any device."""
        self.to(images_NCHW.device)
        features_NF = self.trunk(images_NCHW)
        return features_NF, self.head(features_NF)


def generation(
    pictures: Callable[[Split], Examples], classifier: Path, sha256: str, image: Image, latent: int, classes: int = 0
) -> Generation:
    """The task of making `pictures`, which come with their classes, of `latent` numbers of noise each.

    Where there are `classes`, a row says after the noise which one is wanted: that of its picture.

    Raises:
        BenchmarkError: the file `classifier` is not the one of that `sha256`.
    """

    def examples(split: Split) -> Examples:
        known = pictures(split)
        noise_NZ = torch.randn(len(known), latent, generator=torch.Generator().manual_seed(SEEDS[split]))
        wanted_NK = one_hot(known.targets, classes).float() if classes else noise_NZ[:, :0]
        return Examples(torch.cat((noise_NZ, wanted_NK), dim=1), known.inputs)

    return Generation(examples, latent=latent, judge=read_classifier(classifier, sha256, image).judge)


def read_classifier(path: Path, sha256: str, image: Image, classes: int = 10) -> FixedClassifier:
    """The classifier whose weights are the file at `path`.

    Raises:
        BenchmarkError: the file is not the one that the benchmark names.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BenchmarkError(
            f"{path.name} is not the classifier that distances are told in: its SHA-256 is {found}, not {sha256}."
        )
    with torch.random.fork_rng(devices=[]):
        classifier = FixedClassifier(image, classes).eval().requires_grad_(False)
    classifier.load_state_dict(load(content))
    return classifier


def train_classifier(benchmark: Benchmark, pictures: Callable[[Split], Examples], path: Path, *, epochs: int) -> str:
    """Train a classifier of `pictures` as `benchmark` says, write it to `path`, and return what it came to, and its SHA-256."""
    task = Classification(pictures)
    image = benchmark.signature.input
    assert isinstance(image, Image)  # noqa: S101 - it is one of pictures
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        classifier = FixedClassifier(image, benchmark.signature.output.axes[0])
    method = Method(task, benchmark.recipe, benchmark.signature.output.axes[0])
    examples = task.examples("train"), task.examples("validation")
    training = train(classifier, method, *examples, budget=Budget(epochs=epochs), seed=0)
    content = save({name: value.contiguous() for name, value in classifier.state_dict().items()})
    write_whole(content, path)
    return f"validation accuracy {training.figures['validation_accuracy']:.4f}, SHA-256 {hashlib.sha256(content).hexdigest()}"


def linear_figures(task: Generation) -> dict[str, float]:
    """What a linear generator reaches on validation and test pictures: the mean picture, and one main component of the training
    pictures for each number of noise, in its own spread.
    """
    real_NP = task.examples("train").targets.flatten(1).double()
    mean_P = real_NP.mean(0)
    _, spreads, components_PP = torch.linalg.svd(real_NP - mean_P, full_matrices=False)
    made_of_ZP = components_PP[: task.latent] * spreads[: task.latent, None] / (len(real_NP) - 1) ** 0.5
    found: dict[str, float] = {}
    splits: tuple[Split, ...] = ("validation", "test")
    for split in splits:
        examples = task.examples(split)
        made_NP = mean_P + examples.inputs[:, : task.latent].double() @ made_of_ZP
        meter = task.meter(torch.device("cpu"))
        meter.update(made_NP.float().reshape(examples.targets.shape), examples.targets)
        found |= {f"{split}_{name}": value for name, value in meter.compute().items()}
    return found
