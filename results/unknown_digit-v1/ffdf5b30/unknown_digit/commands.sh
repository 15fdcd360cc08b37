nas search autoencoder --on unknown_digit --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 50000' --study unknown_digit
nas finals unknown_digit --top 3 --trainings 15
