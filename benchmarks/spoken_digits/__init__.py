"""Free spoken digits: 3,000 recordings of ten words by six speakers, at 8 kHz, in two benchmarks of different splits."""

from dataclasses import replace

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature, Waveform

BENCHMARK = Benchmark(
    name="spoken_digits",
    version=1,
    summary="3,000 spoken digits of 0.8 s at 8 kHz; new takes by the six speakers that were trained on",
    signature=Signature(Waveform(length=6_400, channels=1, rate=8_000), Features(10)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=8),
    final_budget=Budget(epochs=30),
    recipe=Recipe(batch_size=64, learning_rate=4e-3, weight_decay=0.02, shift=800, label_smoothing=0.05),
    task="benchmarks.spoken_digits.task:load",
    source="Z. Jackson and others, github.com/Jakobovski/free-spoken-digit-dataset",
    licence="CC BY-SA 4.0",
    floor={"test_accuracy": 0.957},
)

NEW_SPEAKER = replace(
    BENCHMARK,
    name="spoken_digits_new_speaker",
    summary="3,000 spoken digits of 0.8 s at 8 kHz; the tested speaker is none of the four that were trained on",
    task="benchmarks.spoken_digits.task:load_new_speaker",
    floor={"test_accuracy": 0.860},
)
