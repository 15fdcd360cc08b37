nas search search_spaces/knowledge_graph/conve_as_published.yaml --on umls --strategy auto --trials 1 --confirm 0 --seed 0 --epochs 1 --study umls_conve
nas finals umls_conve --top 1 --seeds 3
