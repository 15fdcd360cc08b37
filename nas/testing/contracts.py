"""The rules as pytest classes to inherit; each rule is one test."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from nas.benchmark import Benchmark, Signature
from nas.errors import DataMissing
from nas.space import Space, readme_beside
from nas.testing import benchmarks, spaces
from nas.testing.benchmarks import BENCHMARK_RULES, BenchmarkTrial
from nas.testing.layers import LAYER_RULES, LayerTrial
from nas.testing.rules import NotTried, Rule
from nas.testing.spaces import SPACE_RULES, SpaceTrial


class SpaceContract:
    """What every search space keeps to. Give it by a fixture `space`; other signatures or README by fixtures of that name."""

    samples: ClassVar[int] = 10
    """Random architectures that are tried; raise it before a release."""

    @pytest.fixture
    def space(self) -> Space:
        """The space on trial."""
        raise NotImplementedError("SpaceContract needs a fixture `space` that returns a nas.space.Space")

    @pytest.fixture
    def signatures(self, space: Space) -> tuple[Signature, ...]:
        """What it is tried on."""
        return spaces.default_signatures(space)

    @pytest.fixture
    def readme(self, space: Space) -> Path | None:
        """The README that stands beside it."""
        return readme_beside(space)

    @pytest.mark.parametrize("rule", SPACE_RULES, ids=str)
    def test_keeps_the_rule(
        self, rule: Rule[SpaceTrial], space: Space, signatures: tuple[Signature, ...], readme: Path | None
    ) -> None:
        """One test a rule."""
        _hold(rule, SpaceTrial(space=space, signatures=tuple(signatures), samples=self.samples, readme=readme))


class LayerContract:
    """What every kind of layer keeps to. Give it by a fixture `layer`, a LayerTrial."""

    @pytest.fixture
    def layer(self) -> LayerTrial:
        """The layer on trial."""
        raise NotImplementedError("LayerContract needs a fixture `layer` that returns a nas.testing.LayerTrial")

    @pytest.mark.parametrize("rule", LAYER_RULES, ids=str)
    def test_keeps_the_rule(self, rule: Rule[LayerTrial], layer: LayerTrial) -> None:
        """One test a rule."""
        _hold(rule, layer)


class BenchmarkContract:
    """What every benchmark keeps to. Give it by a fixture `benchmark`; where its data are missing the tests skip and say why."""

    @pytest.fixture
    def benchmark(self) -> Benchmark:
        """The benchmark on trial."""
        raise NotImplementedError("BenchmarkContract needs a fixture `benchmark` that returns a nas.benchmark.Benchmark")

    @pytest.fixture
    def data(self) -> Path | None:
        """The folder its data lie in; None where the benchmark knows by itself."""
        return None

    @pytest.fixture
    def readme(self, benchmark: Benchmark) -> Path | None:
        """The README that stands beside its task."""
        return benchmarks.readme_beside(benchmark)

    @pytest.mark.parametrize("rule", BENCHMARK_RULES, ids=str)
    def test_keeps_the_rule(
        self, rule: Rule[BenchmarkTrial], benchmark: Benchmark, data: Path | None, readme: Path | None
    ) -> None:
        """One test a rule."""
        try:
            _hold(rule, BenchmarkTrial(benchmark=benchmark, data=data, readme=readme))
        except DataMissing as error:
            pytest.skip(str(error))


_trials: list[Any] = []
"""The last trials, so that what several rules need is worked out once."""


def _hold(rule: Rule[Any], trial: Any) -> None:
    known = next((kept for kept in _trials if kept == trial), None)
    if known is None:
        _trials[:-3] = []
        _trials.append(known := trial)
    try:
        problem = rule.check(known)
    except NotTried as reason:
        pytest.skip(f"{rule}: not tried, {reason}")
    if problem is not None:
        pytest.fail(f"{rule}: {problem}", pytrace=False)
