nas search tensor_factorization --on umls --strategy tpe:optuna --trials 100 --seed 0 --limit 'params <= 100000' --study umls_factorization
nas finals umls_factorization --top 2 --seeds 5 --even
