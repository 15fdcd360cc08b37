"""Free spoken digits: 3,000 recordings of ten words by six speakers, at 8 kHz, in benchmarks of different splits and labels."""

from dataclasses import replace

from benchmarks.pretrained_reviews import from_scratch
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
    classes=tuple("0123456789"),
)

NEW_SPEAKER = replace(
    BENCHMARK,
    name="spoken_digits_new_speaker",
    summary="3,000 spoken digits of 0.8 s at 8 kHz; the tested speaker is none of the four that were trained on",
    task="benchmarks.spoken_digits.task:load_new_speaker",
    floor={"test_accuracy": 0.860},
)

NEW_SPEAKER_TWO_PERCENT = replace(
    NEW_SPEAKER,
    name="spoken_digits_new_speaker_2_percent",
    summary="spoken digits of 0.8 s at 8 kHz, of a new speaker; of the four others 40 with labels, 2,000 without",
    budget=Budget(epochs=60),
    final_budget=Budget(epochs=60),
    recipe=replace(NEW_SPEAKER.recipe, batch_size=16, learning_rate=1e-2),
    task="benchmarks.spoken_digits.task:load_new_speaker_two_percent",
    floor={"test_accuracy": 0.534},
    protocol="pretrain_then_fine_tune",
    protocol_options={
        "pretext": "simclr",
        "options": {"shift": 0.12, "speed": 0.2},
        "epochs": 12,
        "recipe": {"batch_size": 64, "learning_rate": 4e-3, "weight_decay": 0.01},
    },
)

NEW_SPEAKER_TWO_PERCENT_FROM_SCRATCH = from_scratch(NEW_SPEAKER_TWO_PERCENT)
