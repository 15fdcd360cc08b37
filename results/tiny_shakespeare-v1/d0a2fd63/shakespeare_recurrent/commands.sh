nas search recurrent --on tiny_shakespeare --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 100000' --limit 'flops <= 20000000' --fraction 0.2 --study shakespeare_recurrent
nas finals shakespeare_recurrent --top 1 --seeds 2
