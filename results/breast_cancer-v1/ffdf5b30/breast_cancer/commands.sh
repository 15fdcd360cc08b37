nas search tabular_mlp --on breast_cancer --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 20000' --study breast_cancer
nas finals breast_cancer --top 3 --trainings 15
