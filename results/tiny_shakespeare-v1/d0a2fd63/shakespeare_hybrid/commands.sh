nas search hybrid_sequence --on tiny_shakespeare --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 100000' --limit 'flops <= 15000000' --fraction 0.1 --study shakespeare_hybrid
nas finals shakespeare_hybrid --top 1 --seeds 2
