nas search hybrid_sequence --on tiny_shakespeare --strategy auto --trials 22 --confirm 0 --seed 0 --limit 'params <= 100000' --limit 'flops <= 15000000' --fraction 0.1 --study shakespeare_hybrid
nas finals shakespeare_hybrid --top 2 --seeds 5 --even
