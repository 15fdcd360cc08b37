"""The fixed classifier, trained again: `python -m benchmarks.fashion_mnist_generation.classifier`."""

from benchmarks import fashion_mnist
from benchmarks.fashion_mnist_generation.task import CLASSIFIER, pictures
from benchmarks.generation import train_classifier

if __name__ == "__main__":
    print(train_classifier(fashion_mnist.BENCHMARK, pictures(None), CLASSIFIER, epochs=4))  # noqa: T201 - it is a script
