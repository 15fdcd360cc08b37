"""Names of emoji from English to German: a translation that fits a small network."""

from nas.benchmark import Benchmark, Budget, NextTokens, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="emoji_names",
    version=1,
    summary="names of emoji, English to German, character by character: 1,227 to learn from",
    signature=Signature(Tokens(53, 86), NextTokens(53, 86)),
    objectives=(Objective("validation_chrf", "maximize"),),
    budget=Budget(epochs=20),
    final_budget=Budget(epochs=40),
    recipe=Recipe(batch_size=32, learning_rate=4e-3, weight_decay=0.05, gradient_norm=1.0),
    task="benchmarks.emoji_names.task:load",
    source="emojibase-data 17.0.0 (npm), of Unicode CLDR",
    licence="MIT; the names Unicode-3.0",
    floor={"test_chrf": 37.2},
    floor_by="the nearest name's translation",
    protocol="translation",
    protocol_options={"written": 64},
)
