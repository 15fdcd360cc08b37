nas search tensor_factorization --on nations --strategy tpe:optuna --trials 100 --seed 0 --limit 'params <= 100000' --study nations_factorization
nas finals nations_factorization --top 2 --seeds 5 --even
