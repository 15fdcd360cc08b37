nas search vision_transformer --on digits --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 100000' --limit 'flops <= 6000000' --study digits_vision_transformer
nas finals digits_vision_transformer --top 2 --seeds 2
