"""Digits that are written and spoken at once, both under noise: pictures of scikit-learn's with free spoken digits."""

from nas.benchmark import Benchmark, Budget, Features, Image, Modalities, Objective, Recipe, Signature

BENCHMARK = Benchmark(
    name="spoken_and_written_digits",
    version=1,
    summary="3,000 digits under noise, each a picture of 8×8 and a spectrogram of 16×16; the tested speaker was never heard",
    signature=Signature(Modalities.of(image=Image(1, 8, 8), sound=Image(1, 16, 16)), Features(10)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=8),
    final_budget=Budget(epochs=20),
    recipe=Recipe(batch_size=64, learning_rate=4e-3, weight_decay=0.02, label_smoothing=0.05),
    task="benchmarks.spoken_and_written_digits.task:load",
    source="scikit-learn's load_digits (Alpaydin & Kaynak 1998, UCI); Free Spoken Digit Dataset (Z. Jackson and others, GitHub)",
    licence="CC BY 4.0 and CC BY-SA 4.0",
    floor={"test_accuracy": 0.912},
    protocol="contrastive",
    protocol_options={"pairs": "class"},
    classes=tuple("0123456789"),
)
