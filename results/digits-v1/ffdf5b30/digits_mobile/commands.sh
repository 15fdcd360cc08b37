nas search mobile_cnn --on digits --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 50000' --study digits_mobile
nas finals digits_mobile --top 3 --seeds 3 --even
