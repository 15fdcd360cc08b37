nas search residual_cnn --on digits --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 50000' --study digits
nas finals digits --top 3 --seeds 2
