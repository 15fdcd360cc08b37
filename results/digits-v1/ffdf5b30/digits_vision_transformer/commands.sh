nas search vision_transformer --on digits --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 100000' --limit 'flops <= 6000000' --study digits_vision_transformer
nas finals digits_vision_transformer --top 3 --seeds 3 --even
