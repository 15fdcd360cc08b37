nas search macro_cnn --on digits --strategy auto --trials 21 --confirm 0 --seed 0 --limit 'params <= 1000000' --study digits_macro
nas finals digits_macro --top 2 --seeds 5 --even
