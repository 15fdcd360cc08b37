nas search tensor_factorization --on kinships --strategy tpe:optuna --trials 100 --seed 0 --limit 'params <= 100000' --study kinships_factorization
nas finals kinships_factorization --top 2 --seeds 5 --even
