"""Breast cancer in Wisconsin (Wolberg et al. 1995): is a tumour malignant, from 30 measures of its cells' nuclei."""

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature

BENCHMARK = Benchmark(
    name="breast_cancer",
    version=1,
    summary="569 tumours, malignant or benign, by 30 measures of the nuclei of cells",
    signature=Signature(Features(30), Features(2)),
    objectives=(Objective("validation_loss", "minimize"),),
    budget=Budget(epochs=40),
    final_budget=Budget(epochs=40),
    recipe=Recipe(batch_size=32, learning_rate=4e-3, weight_decay=1.0, patience=8),
    task="benchmarks.breast_cancer.task:load",
    source="scikit-learn's load_breast_cancer; Wolberg, Mangasarian, Street & Street 1995, UCI",
    licence="CC BY 4.0",
    floor={"test_auroc": 0.988, "test_loss": 0.120},
    classes=("benign", "malignant"),
)
