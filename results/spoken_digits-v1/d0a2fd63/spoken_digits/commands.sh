nas search audio_cnn --on spoken_digits --strategy tpe:optuna --trials 20 --seed 0 --limit 'params <= 200000' --limit 'flops <= 20000000' --study spoken_digits
nas finals spoken_digits --top 2 --seeds 2
