nas search three_families --on digits --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 50000' --study digits_three_families
nas finals digits_three_families --top 2 --seeds 2
