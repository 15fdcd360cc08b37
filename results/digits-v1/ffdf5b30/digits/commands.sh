nas search residual_cnn --on digits --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 50000' --study digits
nas finals digits --top 3 --seeds 3 --even
