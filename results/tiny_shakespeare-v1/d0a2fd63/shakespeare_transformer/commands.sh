nas search transformer_encoder --on tiny_shakespeare --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 100000' --limit 'flops <= 20000000' --fraction 0.2 --study shakespeare_transformer
nas finals shakespeare_transformer --top 2 --seeds 5 --even
