nas search text_pretraining --on reviews_100_labels --strategy auto --trials 6 --confirm 0 --seed 0 --limit 'flops <= 300000' --study reviews_100
nas finals reviews_100 --top 1 --seeds 5
