"""scikit-learn's real 8×8 digits: ships with the package, so that a search runs on any machine at once."""

from nas.benchmark import Benchmark, Budget, Features, Image, Objective, Recipe, Signature

BENCHMARK = Benchmark(
    name="digits",
    version=1,
    summary="1,797 handwritten digits of 8×8 pixels in 10 classes",
    signature=Signature(Image(1, 8, 8), Features(10)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=12),
    final_budget=Budget(epochs=60),
    recipe=Recipe(batch_size=64, learning_rate=4e-3, weight_decay=0.02, shift=1, label_smoothing=0.05),
    task="benchmarks.digits.task:load",
    source="scikit-learn's load_digits; Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI",
    licence="CC BY 4.0",
    floor={"test_accuracy": 0.972},
    classes=tuple("0123456789"),
)
