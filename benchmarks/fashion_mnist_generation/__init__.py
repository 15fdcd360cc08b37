"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747), to be made of noise: of any class, or of the one that is asked for."""

from dataclasses import replace

from nas.benchmark import Benchmark, Budget, Features, Image, Objective, Recipe, Signature

IMAGE, LATENT, CLASSES = Image(1, 28, 28), 32, 10

CLASSIFIER_SHA256 = "a64a52a3ef55e77620746d593c50ee4a6cec580301ddcdabcf38b3745b408195"
"""Of the file with the weights of the classifier in whose features distances are told."""

BENCHMARK = Benchmark(
    name="fashion_mnist_generation",
    version=1,
    summary="make pictures of clothes of 28×28 pixels of 32 numbers of noise, like 55,000 real ones",
    signature=Signature(Features(LATENT), IMAGE),
    objectives=(Objective("validation_frechet_distance", "minimize"),),
    budget=Budget(epochs=4, fraction=0.05),
    final_budget=Budget(epochs=8, fraction=0.1),
    recipe=Recipe(batch_size=64, learning_rate=2e-3, momentum=0.5, weight_decay=0, schedule="linear"),
    task="benchmarks.fashion_mnist_generation.task:load",
    source="Zalando Research, github.com/zalandoresearch/fashion-mnist; Debian package dataset-fashion-mnist",
    licence="MIT",
    floor={"test_frechet_distance": 89.18},
    protocol="adversarial",
    protocol_options={"latent": LATENT, "classifier_sha256": CLASSIFIER_SHA256},
)

BY_CLASS = replace(
    BENCHMARK,
    name="fashion_mnist_generation_by_class",
    summary="make pictures of clothes of 28×28 pixels of a class and 32 numbers of noise, like 55,000 real ones",
    signature=Signature(Features(LATENT + CLASSES), IMAGE),
    task="benchmarks.fashion_mnist_generation.task:load_by_class",
)
