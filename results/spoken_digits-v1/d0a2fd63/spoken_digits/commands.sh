nas search audio_cnn --on spoken_digits --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 200000' --limit 'flops <= 20000000' --study spoken_digits
nas finals spoken_digits --top 2 --seeds 5 --even
