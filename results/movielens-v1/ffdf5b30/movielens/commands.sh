nas search recommender --on movielens --strategy auto --trials 20 --confirm 0 --seed 0 --limit 'params <= 500000' --study movielens
nas finals movielens --top 3 --trainings 15
