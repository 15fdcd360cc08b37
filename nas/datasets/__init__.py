"""Users' own data as benchmarks: a folder of files → a folder with benchmark.yaml, and back to a `Benchmark`."""

from nas.datasets.declaration import FolderBenchmark, read_benchmark
from nas.datasets.finding import find_again, find_benchmark, is_at_hand, is_place, known_benchmarks
from nas.datasets.listing import KINDS

__all__ = [
    "KINDS",
    "FolderBenchmark",
    "find_again",
    "find_benchmark",
    "is_at_hand",
    "is_place",
    "known_benchmarks",
    "read_benchmark",
]
