nas search knowledge_graph --on umls --strategy auto --trials 40 --confirm 0 --seed 0 --limit 'params <= 50000' --study umls
nas finals umls --top 2 --seeds 5 --even
