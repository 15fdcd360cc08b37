"""Emoji and their English names, each of which is to find the other."""

from nas.benchmark import Benchmark, Budget, Features, Image, Modalities, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="emoji_captions",
    version=2,
    summary="1,899 emoji and their English names: a picture of 16×16 is to find its name among 380, and a name its picture",
    signature=Signature(
        Modalities.of(image=Image(3, 16, 16), text=Tokens(32, 77)),
        Features(128),
    ),
    objectives=(Objective("validation_recall_at_10", "maximize"),),
    budget=Budget(epochs=12),
    final_budget=Budget(epochs=60),
    recipe=Recipe(batch_size=128, learning_rate=4e-3, weight_decay=0.05, shift=1, flip=True, ema=0.98),
    task="benchmarks.emoji_captions.task:load",
    source="emojibase-data 17.0.0 (npm) and Noto Color Emoji 2.042 (Debian 12); benchmarks/emoji/make.py",
    licence="MIT (names), OFL 1.1 (pictures)",
    floor={"test_recall_at_1": 0.059, "test_recall_at_5": 0.167, "test_recall_at_10": 0.245},
    protocol="retrieval",
)
