"""The fixed classifier, trained again: `python -m benchmarks.digits_generation.classifier`."""

from benchmarks import digits
from benchmarks.digits_generation.task import CLASSIFIER, pictures
from benchmarks.generation import train_classifier

if __name__ == "__main__":
    print(train_classifier(digits.BENCHMARK, pictures(None), CLASSIFIER, epochs=40))  # noqa: T201 - it is a script
