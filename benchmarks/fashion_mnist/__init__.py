"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): 70,000 pictures of clothes in 10 classes, with all labels or with few."""

from dataclasses import replace

from benchmarks.pretrained_reviews import from_scratch
from nas.benchmark import Benchmark, Budget, Features, Image, Objective, Recipe, Signature

BENCHMARK = Benchmark(
    name="fashion_mnist",
    version=1,
    summary="70,000 pictures of clothes of 28×28 pixels in 10 classes",
    signature=Signature(Image(1, 28, 28), Features(10)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=4, fraction=0.2),
    final_budget=Budget(epochs=12),
    recipe=Recipe(batch_size=128, learning_rate=4e-3, weight_decay=0.02, shift=1, flip=True, label_smoothing=0.05),
    task="benchmarks.fashion_mnist.task:load",
    source="Zalando Research, github.com/zalandoresearch/fashion-mnist; Debian package dataset-fashion-mnist",
    licence="MIT",
    floor={"test_accuracy": 0.827},
    classes=("T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
)

ONE_PERCENT = replace(
    BENCHMARK,
    name="fashion_mnist_1_percent",
    summary="pictures of clothes of 28×28 pixels in 10 classes: 550 with labels, 55,000 without",
    budget=Budget(epochs=12),
    final_budget=Budget(epochs=12),
    recipe=replace(BENCHMARK.recipe, batch_size=16, learning_rate=6e-3),
    task="benchmarks.fashion_mnist.task:load_one_percent",
    floor={"test_accuracy": 0.783},
    protocol="pretrain_then_fine_tune",
    protocol_options={
        "pretext": "simclr",
        "options": {"crop": 0.4},
        "epochs": 1,
        "fraction": 0.3,
        "recipe": {"batch_size": 64, "learning_rate": 4e-3, "weight_decay": 0.01},
    },
)

TEN_PERCENT = replace(
    ONE_PERCENT,
    name="fashion_mnist_10_percent",
    summary="pictures of clothes of 28×28 pixels in 10 classes: 5,500 with labels, 55,000 without",
    budget=Budget(epochs=4),
    final_budget=Budget(epochs=4),
    recipe=replace(BENCHMARK.recipe, batch_size=64, learning_rate=8e-3),
    task="benchmarks.fashion_mnist.task:load_ten_percent",
    floor={"test_accuracy": 0.827},
)

ONE_PERCENT_FROM_SCRATCH, TEN_PERCENT_FROM_SCRATCH = map(from_scratch, (ONE_PERCENT, TEN_PERCENT))
