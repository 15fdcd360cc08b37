"""Tiny Shakespeare (Karpathy 2015): the next character of a million characters of plays."""

from nas.benchmark import Benchmark, Budget, NextTokens, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="tiny_shakespeare",
    version=1,
    summary="1.1 million characters of Shakespeare's plays, the next of 65 characters in windows of 128",
    signature=Signature(Tokens(128, 66), NextTokens(128, 66)),
    objectives=(Objective("validation_bits_per_character", "minimize"),),
    budget=Budget(epochs=2),
    final_budget=Budget(epochs=6),
    recipe=Recipe(batch_size=16, learning_rate=4e-3, weight_decay=0.05, gradient_norm=1.0),
    task="benchmarks.tiny_shakespeare.task:load",
    source="A. Karpathy, github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt",
    licence="public domain",
    floor={"test_bits_per_character": 3.230},
)
