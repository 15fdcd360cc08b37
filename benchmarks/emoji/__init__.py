"""Emoji in nine groups: their picture, their name in one of four languages, and their English name spoken."""

from nas.benchmark import Benchmark, Budget, Features, Image, Modalities, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="emoji",
    version=2,
    summary="1,899 emoji in 9 groups: picture of 16×16, name in English, German, French or Spanish, and synthetic speech",
    signature=Signature(
        Modalities.of(image=Image(3, 16, 16), text=Tokens(32, 77), sound=Image(1, 16, 24)),
        Features(9),
    ),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=5),
    final_budget=Budget(epochs=20),
    recipe=Recipe(batch_size=64, learning_rate=4e-3, weight_decay=0.02, label_smoothing=0.05, shift=1, flip=True),
    task="benchmarks.emoji.task:load",
    source="emojibase-data 17.0.0 (npm), Noto Color Emoji 2.042 and espeak-ng 1.51 (Debian 12); benchmarks/emoji/make.py",
    licence="MIT (names), OFL 1.1 (pictures)",
    floor={"test_accuracy": 0.732},
    protocol="contrastive",
    protocol_options={"pairs": "example"},
)
