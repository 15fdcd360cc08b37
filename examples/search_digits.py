"""A search-run script: twenty networks on digits, the best three trained again, and a page about them."""

import nas

study = nas.search("residual_cnn", on="digits", trials=20, limits=["params <= 50e3"], seed=0)
nas.finals(study.name, top=3, seeds=2)

print(study.trials[["stage", "architecture", "validation_accuracy", "params", "latency_ms"]].dropna().to_string(index=False))
print(study.build())  # the winner, a plain torch module
print("Open", study.report("leaderboard.html"))
