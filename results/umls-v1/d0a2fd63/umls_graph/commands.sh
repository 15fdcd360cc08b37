nas search graph_network --on umls --strategy tpe:optuna --trials 80 --seed 0 --limit 'params <= 100000' --limit 'flops <= 20000000' --study umls_graph
nas finals umls_graph --top 2 --seeds 5 --even
