nas search mobile_cnn --on digits --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 50000' --study digits_mobile
nas finals digits_mobile --top 2 --seeds 2
