nas search image_pretraining --on fashion_mnist_1_percent --strategy auto --trials 6 --confirm 0 --seed 0 --limit 'flops <= 1000000' --study clothes_1_percent
nas finals clothes_1_percent --top 1 --seeds 5
