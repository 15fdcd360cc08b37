"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747) with 500 labels, for networks that others have trained before."""

from dataclasses import replace

from benchmarks.fashion_mnist import BENCHMARK as WHOLE
from nas.benchmark import Budget, Recipe

BENCHMARK = replace(
    WHOLE,
    name="fashion_mnist_500_labels",
    version=1,
    summary="pictures of clothes of 28×28 pixels in 10 classes, 500 of them with labels, to fine-tune shipped weights on",
    budget=Budget(epochs=6),
    final_budget=Budget(epochs=6),
    recipe=Recipe(batch_size=25, learning_rate=2e-3, weight_decay=0.02, flip=True, label_smoothing=0.05),
    task="benchmarks.fashion_mnist_few_labels.task:load",
    floor={"test_accuracy": 0.780},
    protocol="fine_tune",
)
