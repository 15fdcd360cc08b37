"""scikit-learn's 8×8 digits, to be made of noise: of any class, or of the one that is asked for."""

from dataclasses import replace

from nas.benchmark import Benchmark, Budget, Features, Image, Objective, Recipe, Signature

IMAGE, LATENT, CLASSES = Image(1, 8, 8), 16, 10

CLASSIFIER_SHA256 = "e5a86967798390aad00e555f6a19bcda82089763d1bb151756c880b24186b4e5"
"""Of the file with the weights of the classifier in whose features distances are told."""

BENCHMARK = Benchmark(
    name="digits_generation",
    version=1,
    summary="make handwritten digits of 8×8 pixels of 16 numbers of noise, like 1,078 real ones",
    signature=Signature(Features(LATENT), IMAGE),
    objectives=(Objective("validation_frechet_distance", "minimize"),),
    budget=Budget(epochs=16),
    final_budget=Budget(epochs=40),
    recipe=Recipe(batch_size=64, learning_rate=2e-3, momentum=0.5, weight_decay=0, schedule="linear"),
    task="benchmarks.digits_generation.task:load",
    source="scikit-learn's load_digits; Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI",
    licence="CC BY 4.0",
    floor={"test_frechet_distance": 11.53},
    protocol="adversarial",
    protocol_options={"latent": LATENT, "classifier_sha256": CLASSIFIER_SHA256},
)

BY_CLASS = replace(
    BENCHMARK,
    name="digits_generation_by_class",
    summary="make handwritten digits of 8×8 pixels of a class and 16 numbers of noise, like 1,078 real ones",
    signature=Signature(Features(LATENT + CLASSES), IMAGE),
    task="benchmarks.digits_generation.task:load_by_class",
)
