nas search tensor_factorization --on wordnet --strategy tpe:optuna --trials 40 --confirm 4 --seed 0 --limit 'params <= 400000' --study wordnet
nas finals wordnet --top 1 --seeds 5
