"""WordNet (Miller 1995): which meaning is at the other end of a link, among 2,752 meanings of common words?"""

from nas.benchmark import Benchmark, Budget, Features, Objective, Query, Recipe, Signature

BENCHMARK = Benchmark(
    name="wordnet",
    version=1,
    summary="5,815 links of 15 kinds between 2,752 meanings of common English words, no link the inverse of another",
    signature=Signature(Query(2_752, 15), Features(2_752)),
    objectives=(Objective("validation_mrr", "maximize"),),
    budget=Budget(epochs=20),
    final_budget=Budget(epochs=40),
    recipe=Recipe(batch_size=256, learning_rate=0.01, weight_decay=0.0),
    task="benchmarks.wordnet.task:load",
    source="Princeton University, WordNet 3.0; Debian's package wordnet-base",
    licence="WordNet 3.0 license",
    floor={"test_mrr": 0.0333, "test_hits_at_1": 0.0172, "test_hits_at_10": 0.0619},
    floor_by="ranking by popularity",
    protocol="link_prediction",
)
