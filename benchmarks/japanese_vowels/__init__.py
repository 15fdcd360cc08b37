"""Japanese vowels (Kudo et al. 1999): which of nine speakers said it, from 640 short series of 12 numbers."""

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Sequence, Signature

BENCHMARK = Benchmark(
    name="japanese_vowels",
    version=1,
    summary="640 utterances of two vowels, up to 29 steps of 12 cepstrum coefficients, by 9 speakers",
    signature=Signature(Sequence(29, 12), Features(9)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=40),
    final_budget=Budget(epochs=120),
    recipe=Recipe(batch_size=32, learning_rate=4e-3, weight_decay=0.02, label_smoothing=0.1),
    task="benchmarks.japanese_vowels.task:load",
    source="M. Kudo, J. Toyama, M. Shimbo, UCI Machine Learning Repository, 1999; files of timeseriesclassification.com",
    licence="CC BY 4.0",
    floor={"test_accuracy": 0.968},
)
