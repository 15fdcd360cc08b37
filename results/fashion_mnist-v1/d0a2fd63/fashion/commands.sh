nas search residual_cnn --on fashion_mnist --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 200000' --limit 'flops <= 12000000' --study fashion
nas finals fashion --top 2 --seeds 2
