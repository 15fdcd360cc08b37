nas search shipped_texts --on reviews_200_labels_pieces --strategy auto --trials 9 --confirm 0 --seed 0 --limit 'flops <= 1000000000' --study reviews_200_minilm
nas finals reviews_200_minilm --top 1 --seeds 5
