"""Search by a surrogate, for budgets of tens to hundreds: a Gaussian process says which candidate promises most.

Expected improvement (Jones et al. 1998) over candidates near the best that are known, as BANANAS makes them by mutation (White
et al. 2021, arXiv:1910.11858). Costs are taken by rank, as normal scores, so that an architecture that learns nothing, or a scale
that is flat at the top, does not hide the order of the good ones (a copula, as in Eriksson and Poloczek 2021, arXiv:2002.08526).

Limits, and failures, have models of their own: the expected improvement is multiplied by the chance to be within (Gardner et al.
2014). What is still running is taken to come to what is expected of it, so that nothing is to be learned beside it any more and
the next candidate lies elsewhere (the kriging believer; Ginsbourger et al. 2010, sec. 4.2). It chooses architectures alone; how
often one is trained, from which seeds and for how long, is a matter of the search.
"""

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from nas.space import Architecture, Encoding, Limit, Parent, Space, broken_limits
from nas.strategies.choosing import TRIES, ChoosingSampler, Known, Seen
from nas.strategies.gaussian_process import LEARNED_FROM, Inputs, Likeness, Matrix, Process, squared

Features = Callable[[Architecture], Mapping[str, float]]
"""What is known of an architecture before its training: parameters, FLOPs, zero-cost scores."""

START = 10
"""Architectures drawn by chance before there is a model; 5 and 15 did as well."""

FEWEST = 5
"""Of these so many must be known; the others may still be running."""

PARENTS = 5
"""The best that are known, of which candidates are made; 10 did as well."""

NEAR, FAR, CROSSED, CHANCE = 100, 50, 20, 10
"""Candidates of one change, of two changes, of two parents, and by chance. Predicting all architectures of a table instead did
as well; half as many candidates did worse at 100 evaluations (regret 0.026 ± 0.013 against 0.000 on NAS-Bench-201 CIFAR-10)."""

KEPT = 300
"""The most architectures that the process is conditioned on, so that asking does not take longer and longer."""

TASTED = 30
"""Draws of which a start with features takes the one that they favour."""

FAR_OUT = -25.0
"""Standard deviations from which on asymptotes stand for what would be lost in rounding."""

NORMAL = NormalDist()


class SurrogateSearch(ChoosingSampler):
    """Learns from all that is known which candidate is the likeliest to be better than the best, and by how much.

    What it proposes follows from what is known, what is running, and the seed alone.
    """

    def __init__(
        self, space: Space, *, features: Features | None = None, limits: Iterable[Limit] = (), seed: int | None = None
    ) -> None:
        """Search `space`; `features`, the same for each architecture, are inputs of the model beside the answers.

        Until there is a model, every second architecture is the one of TASTED draws with the greatest features: larger networks
        and higher scores are better on the whole. A feature that is not finite counts as the least.

        What its features tell to be outside one of the `limits` is not proposed, as far as others are found.

        Raises:
            SpaceError: the space has too many choices to be encoded.
        """
        super().__init__(space, seed=seed)
        self.features = features
        self.limits = tuple(limits)
        self._inputs = Inputs(Encoding(space))
        self._rows: dict[str, Matrix] = {}
        self._featured: dict[str, Mapping[str, float]] = {}

    def choose(self, seen: Seen) -> Architecture:
        """The candidate of the greatest expected improvement."""
        if len(seen.distinct) + len(seen.running) < START or len(seen.distinct) < FEWEST:
            return self._start(seen)
        known = _most_telling(seen.distinct, KEPT)
        parents = [Parent(self.space, one.architecture) for one in sorted(known, key=lambda one: one.order)[:PARENTS]]
        made = [*candidates(self.space, parents, self.rng)]
        made = [*filter(self._within, made)] or made
        rows = self._inputs.read(made)
        taken = {self._row(one).tobytes() for one in [*(one.architecture for one in seen.distinct), *seen.running]}
        fresh = {row.tobytes(): n for n, row in enumerate(rows) if row.tobytes() not in taken}
        if not fresh:
            return self.unseen(seen)
        pool = [made[n] for n in fresh.values()]
        promise = self._promise(known, seen.running, pool, rows[[*fresh.values()]])
        return pool[int(np.argmax(promise))]

    def _start(self, seen: Seen) -> Architecture:
        if self.features is None or (len(seen.distinct) + len(seen.running)) % 2:
            return self.unseen(seen)
        drawn = [self.unseen(seen) for _ in range(TASTED)]
        return drawn[int(np.argmax(self._featured_rows(drawn).sum(1)))]

    def unseen(self, seen: Seen) -> Architecture:
        """One that is not known and not told to be outside the limits, by chance; or after TRIES draws any."""
        for _ in range(TRIES if self.limits and self.features else 0):
            drawn = self.space.sample(self.rng)
            if drawn not in seen and self._within(drawn):
                return drawn
        return super().unseen(seen)

    def _within(self, architecture: Architecture) -> bool:
        """Whether nothing that is known before its training lies outside a limit."""
        return not self.limits or not self.features or not broken_limits(self._features_of(architecture), self.limits)

    def _features_of(self, architecture: Architecture) -> Mapping[str, float]:
        assert self.features is not None  # noqa: S101 - asked only where there are
        if architecture.id not in self._featured:
            self._featured[architecture.id] = self.features(architecture)
        return self._featured[architecture.id]

    def _promise(
        self, known: Sequence[Known], running: Sequence[Architecture], pool: Sequence[Architecture], rows: Matrix
    ) -> Matrix:
        """(M,): the logarithm of the expected improvement times the chance to be within the limits."""
        absent = [False] * len(running)
        told = np.array([math.isfinite(one.cost) or one.excess == 0 for one in known] + absent)
        within = np.array([one.excess == 0 for one in known] + absent)
        measures = self._measures([*(one.architecture for one in known), *running], pool, rows)
        promise = np.zeros(len(pool))
        if within.any():
            scores = normal_scores(np.array([one.cost for one in known])[told[: len(known)]])
            process = _learned(measures, told, scores)
            goal = process.at_known()[within[told]].min()
            if running:
                process, told, expected = _believing(process, measures, told, scores, len(running))
                goal = min(goal, expected.min())
            mean, deviation = process.expect([across[told] for _, across in measures])
            promise += log_expected_improvement((goal - mean) / deviation) + np.log(deviation)
        for margins in _broken(known):
            values = np.concatenate([margins, np.full(len(running), math.nan)])
            found = np.isfinite(values)
            middle, spread = values[found].mean(), values[found].std() + 1e-12
            process = _learned(measures, found, (values[found] - middle) / spread)
            mean, deviation = process.expect([across[found] for _, across in measures])
            promise += log_chance((-middle / spread - mean) / deviation)
        return promise

    def _measures(self, known: Sequence[Architecture], pool: Sequence[Architecture], rows: Matrix) -> list[tuple[Matrix, Matrix]]:
        """For each measure of distance: between the known (N, N), and from them to the pool (N, M)."""
        known_rows = np.stack([self._row(one) for one in known])
        among, across = self._inputs.distances(known_rows, known_rows), self._inputs.distances(known_rows, rows)
        measures = [*zip(among, across, strict=True)]
        if self.features is not None:
            scores = self._featured_rows([*known, *pool])
            mine, theirs = scores[: len(known)], scores[len(known) :]
            measures.append((squared(mine, mine), squared(mine, theirs)))
        return [pair for pair in measures if pair[0].any()]

    def _row(self, architecture: Architecture) -> Matrix:
        if architecture.id not in self._rows:
            self._rows[architecture.id] = self._inputs.read([architecture])[0]
        return self._rows[architecture.id]

    def _featured_rows(self, architectures: Sequence[Architecture]) -> Matrix:
        """(N, K): their features as normal scores among each other, so that no scale matters."""
        told = [self._features_of(one) for one in architectures]
        if not any(told):
            return np.zeros((len(architectures), 1))
        columns = [
            np.array([one.get(name, -math.inf) for one in told]) for name in sorted({name for one in told for name in one})
        ]
        return np.stack([normal_scores(np.where(np.isfinite(column), column, -np.inf)) for column in columns], axis=1)


def candidates(space: Space, parents: Sequence[Parent], rng: random.Random) -> Iterator[Architecture]:
    """Architectures near `parents`, and some by chance; some may stand twice, or be known."""
    steps = [(parent, name, answer) for parent in parents for name in parent.open for answer in parent.others(name, rng)]
    for parent, name, answer in rng.sample(steps, min(NEAR, len(steps))):
        yield parent.changed({name: answer}, rng)
    for _ in range(FAR):
        parent = rng.choice(parents)
        names = rng.sample(parent.open, min(2, len(parent.open)))
        yield parent.changed({name: parent.other(name, rng) for name in names}, rng)
    for _ in range(CROSSED):
        yield rng.choice(parents).crossed(rng.choice(parents), rng)
    for _ in range(CHANCE):
        yield space.sample(rng)


def _most_telling(known: Sequence[Known], most: int) -> Sequence[Known]:
    """At most so many: half of them the best, the others the most recent; in their order."""
    if len(known) <= most:
        return known
    ranked = sorted(range(len(known)), key=lambda n: known[n].order)
    best = set(ranked[: most // 2])
    recent = [n for n in range(len(known)) if n not in best][-(most - len(best)) :]
    return [known[n] for n in sorted([*best, *recent])]


def _broken(known: Sequence[Known]) -> Iterator[Matrix]:
    """For each limit that one of the known broke, the margin of each of them (N,), NaN where it was not found out.

    What is told only of those outside, such as that a training failed, is -1 of the others, which makes it a classification.
    """
    for name in sorted({name for one in known for name, margin in one.margins.items() if margin > 0}):
        inside = any(one.margins.get(name, 1.0) <= 0 for one in known)
        yield np.array([one.margins.get(name, math.nan if inside else -1.0) for one in known])


def _learned(measures: Sequence[tuple[Matrix, Matrix]], rows: NDArray[np.bool_], values: Matrix) -> Process:
    """The process of those `rows`, a mask (N,), that have the `values`; its likeness from the most recent of them."""
    among = [distance if rows.all() else distance[np.ix_(rows, rows)] for distance, _ in measures]
    part = slice(max(0, len(values) - LEARNED_FROM), None)
    return Process(among, values, Likeness([distance[part, part] for distance in among], values[part]))


def _believing(
    process: Process, measures: Sequence[tuple[Matrix, Matrix]], told: NDArray[np.bool_], values: Matrix, running: int
) -> tuple[Process, NDArray[np.bool_], Matrix]:
    """The process of the `told`, a mask (N,), once the last `running` have come to what it expects of them.

    With the mask of all these, and what is expected.
    """
    late = np.zeros_like(told)
    late[-running:] = True
    expected, _ = process.expect([among[np.ix_(told, late)] for among, _ in measures])
    both = told | late
    among = [among[np.ix_(both, both)] for among, _ in measures]
    believing = Process(among, np.concatenate([values, expected]), process.likeness, variance=process.variance)
    return believing, both, expected


def normal_scores(values: Matrix) -> Matrix:
    """(N,): the quantiles of a normal distribution at the values' ranks; equal values share their mean rank."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.cumsum(count) - (count + 1) / 2
    return np.array([NORMAL.inv_cdf((one + 0.5) / len(values)) for one in rank])[place]


def log_expected_improvement(better: Matrix) -> Matrix:
    """(M,): ln(φ(u) + u Φ(u)) of by how many standard deviations u the mean is better than the best.

    Far below it, where nothing is left of the sum, by its asymptote (Ament et al. 2023, arXiv:2310.20708, eq. 9).
    """
    return np.array([_log_improvement(float(u)) for u in better])


def _log_improvement(u: float) -> float:
    density = -u * u / 2 - math.log(2 * math.pi) / 2
    if u < FAR_OUT:
        return density - 2 * math.log(-u) + math.log1p(-3 / u**2)
    return math.log(math.exp(density) + u * math.erfc(-u / math.sqrt(2)) / 2)


def log_chance(u: Matrix) -> Matrix:
    """(M,): ln Φ(u)."""
    return np.array([_log_chance(float(one)) for one in u])


def _log_chance(u: float) -> float:
    if u < FAR_OUT:
        return -u * u / 2 - math.log(2 * math.pi) / 2 - math.log(-u) + math.log1p(-1 / u**2)
    return math.log(math.erfc(-u / math.sqrt(2)) / 2)
