"""Names of emoji from English to German: a translation that fits a small network."""

from nas.benchmark import Benchmark, Budget, NextTokens, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="emoji_names",
    version=3,
    summary="names of emoji, English to German, in pieces of words: 1,363 to learn from",
    signature=Signature(Tokens(31, 486), NextTokens(31, 486)),
    objectives=(Objective("validation_chrf", "maximize"),),
    budget=Budget(epochs=2),
    final_budget=Budget(epochs=16),
    recipe=Recipe(batch_size=32, learning_rate=2e-2, optimizer="muon", weight_decay=0.05, label_smoothing=0.1, gradient_norm=1.0),
    task="benchmarks.emoji_names.task:load",
    source="emojibase-data 17.0.0 (npm), of Unicode CLDR",
    licence="MIT; the names Unicode-3.0",
    floor={"test_chrf": 37.2},
    floor_by="the nearest name's translation",
    protocol="translation",
    protocol_options={"written": 64, "samples": 64, "forgotten": 0.15},
)
