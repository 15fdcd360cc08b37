"""scikit-learn's digits without the eights: which pictures show something that was never seen."""

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature

BENCHMARK = Benchmark(
    name="unknown_digit",
    version=1,
    summary="handwritten digits as rows of 64 numbers: learn nine of them, and find the eights among them",
    signature=Signature(Features(64), Features(64)),
    objectives=(Objective("validation_auroc", "maximize"),),
    budget=Budget(epochs=60),
    final_budget=Budget(epochs=60),
    recipe=Recipe(batch_size=32, learning_rate=3e-3, weight_decay=0.01),
    task="benchmarks.unknown_digit.task:load",
    source="scikit-learn's load_digits; Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI",
    licence="CC BY 4.0",
    floor={"test_auroc": 0.849, "test_average_precision": 0.613},
    protocol="reconstruction",
)
