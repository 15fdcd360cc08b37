nas search three_families --on digits --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 50000' --study digits_three_families
nas finals digits_three_families --top 3 --seeds 3 --even
