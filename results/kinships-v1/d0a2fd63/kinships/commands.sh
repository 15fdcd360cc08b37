nas search knowledge_graph --on kinships --strategy auto --trials 60 --confirm 6 --seed 0 --limit 'params <= 50000' --study kinships
nas finals kinships --top 4 --seeds 5 --even
