nas search knowledge_graph --on kinships --strategy auto --trials 40 --confirm 0 --seed 0 --limit 'params <= 50000' --study kinships
nas finals kinships --top 2 --seeds 5 --even
