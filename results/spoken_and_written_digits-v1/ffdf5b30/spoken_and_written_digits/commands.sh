nas search cross_modal --on spoken_and_written_digits --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 100000' --limit 'flops <= 1500000' --study spoken_and_written_digits
nas finals spoken_and_written_digits --top 2 --seeds 5 --even
