nas search knowledge_graph --on nations --strategy auto --trials 60 --confirm 6 --seed 0 --limit 'params <= 100000' --study nations
nas finals nations --top 2 --seeds 5 --even
