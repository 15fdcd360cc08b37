nas search image_gan --on digits_generation --strategy auto --trials 36 --confirm 0 --seed 0 --limit 'flops <= 100000' --limit 'discriminator_macs <= 80000' --study digits_generation
nas finals digits_generation --top 3 --trainings 15
