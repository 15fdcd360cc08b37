"""Contracts that other teams' tests inherit, and the rules that they hold to: the same that `nas spaces check` prints.

    from nas.testing import SpaceContract

    class TestMixer(SpaceContract):
        @pytest.fixture
        def space(self):
            return SPACE

SpaceContract       fixture `space`; optional `signatures`, `readme`; `samples` random architectures are tried
LayerContract       fixture `layer`, a LayerTrial: the kind, options and shapes to try
BenchmarkContract   fixture `benchmark`; optional `data` (a folder), `readme`
check_space, check_layer, check_benchmark     the rules of each, and what is wrong, without pytest

A rule that nothing on trial is about is skipped with its reason, and left out by the functions: what is told was looked at.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.testing.benchmarks import BENCHMARK_RULES, BenchmarkTrial, check_benchmark
    from nas.testing.contracts import BenchmarkContract, LayerContract, SpaceContract
    from nas.testing.layers import LAYER_RULES, LayerTrial, check_layer
    from nas.testing.spaces import SPACE_RULES, SpaceTrial, check_space, default_signatures

_HOMES = {
    "BENCHMARK_RULES": "benchmarks",
    "BenchmarkContract": "contracts",
    "BenchmarkTrial": "benchmarks",
    "LAYER_RULES": "layers",
    "LayerContract": "contracts",
    "LayerTrial": "layers",
    "SPACE_RULES": "spaces",
    "SpaceContract": "contracts",
    "SpaceTrial": "spaces",
    "check_benchmark": "benchmarks",
    "check_layer": "layers",
    "check_space": "spaces",
    "default_signatures": "spaces",
}

__all__ = [
    "BENCHMARK_RULES",
    "LAYER_RULES",
    "SPACE_RULES",
    "BenchmarkContract",
    "BenchmarkTrial",
    "LayerContract",
    "LayerTrial",
    "SpaceContract",
    "SpaceTrial",
    "check_benchmark",
    "check_layer",
    "check_space",
    "default_signatures",
]


def __getattr__(name: str) -> Any:
    """pytest is loaded with the contracts alone, so that the command line checks without it."""
    if name in _HOMES:
        return getattr(import_module(f"nas.testing.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'nas.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
