"""Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): 70,000 pictures of clothes in 10 classes."""

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
)
