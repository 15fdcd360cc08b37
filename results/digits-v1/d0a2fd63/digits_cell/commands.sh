nas search cell_cnn --on digits --strategy auto --trials 21 --confirm 0 --seed 0 --limit 'params <= 400000' --study digits_cell
nas finals digits_cell --top 2 --seeds 5 --even
