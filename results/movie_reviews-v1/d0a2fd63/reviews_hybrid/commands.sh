nas search hybrid_sequence --on movie_reviews --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 300000' --limit 'flops <= 10000000' --study reviews_hybrid
nas finals reviews_hybrid --top 1 --seeds 2
