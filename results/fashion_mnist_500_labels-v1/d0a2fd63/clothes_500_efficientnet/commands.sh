nas search shipped_images --on fashion_mnist_500_labels --strategy auto --trials 21 --confirm 0 --seed 0 --study clothes_500_efficientnet
nas finals clothes_500_efficientnet --top 1 --seeds 5
