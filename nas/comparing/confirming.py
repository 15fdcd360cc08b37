"""The end of a run of a strategy that confirms: the best few trained again, as a search does with the last of its budget."""

from collections.abc import Iterator, Mapping
from statistics import fmean

from nas.comparing.arena import Arena
from nas.searching.confirming import TOP
from nas.space import Architecture


def confirmed(arena: Arena, seed: int, costs: Mapping[Architecture, float], trainings: int) -> Iterator[float]:
    """The regret after each further training, of the best by the mean of its further trainings.

    The training by which the search chose one has no part in that mean, as in a leaderboard: it was chosen for being high.

    `costs` are what was seen so far. Of the TOP best of them the one with the fewest trainings is next, the best first; none is
    trained more often than the table has trainings of it.
    """
    best = sorted(costs, key=lambda one: costs[one])[:TOP]
    told = {one: list(arena.answers(one, seed)) for one in best}
    seen = dict.fromkeys(best, 1)

    def mean(one: Architecture, first: int = 0) -> float:
        return fmean(arena.objective.cost(answer) for answer in told[one][first : seen[one]])

    for _ in range(trainings):
        left = [one for one in best if seen[one] < len(told[one])]
        if not left:
            return
        seen[min(left, key=lambda one: (seen[one], mean(one)))] += 1
        yield arena.regret(min((one for one in best if seen[one] > 1), key=lambda one: mean(one, 1)))
