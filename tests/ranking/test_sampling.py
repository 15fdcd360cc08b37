import itertools

import numpy as np
import pytest

from nas.ranking.sampling import Stratum, draw, observed, pair_weights, places

RANKED = [f"{number:016x}" for number in range(60)]


def test_the_best_are_taken_with_certainty_and_some_of_each_third_by_chance() -> None:
    strata = draw(RANKED, 12)
    assert strata[0] == Stratum(tuple(RANKED[:3]), tuple(RANKED[:3]))
    assert [len(stratum.members) for stratum in strata] == [3, 17, 20, 20]
    assert [len(stratum.drawn) for stratum in strata] == [3, 3, 3, 3]
    assert all(set(stratum.drawn) <= set(stratum.members) for stratum in strata)


def test_finalists_belong_to_the_sample_beside_what_is_drawn() -> None:
    certain, *others = draw(RANKED, 12, sure={RANKED[5], RANKED[40]})
    assert certain.drawn == (*RANKED[:3], RANKED[5], RANKED[40])
    assert [len(stratum.drawn) for stratum in others] == [3, 3, 3]
    assert not {RANKED[5], RANKED[40]} & {one for stratum in others for one in stratum.members}


@pytest.mark.parametrize("count", [5, 13, 20, 60])
@pytest.mark.parametrize("sure", [(), (1, 4)])
def test_a_larger_sample_holds_the_smaller_one(count: int, sure: tuple[int, ...]) -> None:
    ranked, finalists = RANKED[:count], {RANKED[n] for n in sure}
    for key in range(40):
        samples = [set(places(draw(ranked, size, finalists, str(key)))) for size in range(4, count + 2)]
        assert all(small <= large for small, large in itertools.pairwise(samples))


def test_of_a_small_sample_strata_of_which_one_is_drawn_are_taken_together() -> None:
    for size, drawn in ((4, [1, 3]), (5, [1, 2, 2]), (6, [1, 2, 3])):
        strata = draw(RANKED, size)
        assert [len(stratum.drawn) for stratum in observed(strata, places(strata))] == drawn


def test_a_sample_of_all_is_all() -> None:
    (strata,) = [stratum for stratum in draw(RANKED[:9], 12) if stratum.members]
    assert strata.drawn == tuple(RANKED[:9])


@pytest.mark.parametrize("size", [4, 6, 8, 12, 30])
@pytest.mark.parametrize("count", [13, 20, 60])
def test_as_many_are_drawn_as_are_asked_for(size: int, count: int) -> None:
    strata = draw(RANKED[:count], size)
    assert sum(len(stratum.drawn) for stratum in strata) == min(size, count)
    assert sorted(one for stratum in strata for one in stratum.members) == RANKED[:count]


def test_each_of_a_third_is_drawn_as_often_as_the_others() -> None:
    counts = dict.fromkeys(RANKED, 0)
    for key in range(2000):
        for one in places(draw(RANKED, 12, key=str(key))):
            counts[one] += 1
    shares = [counts[one] / 2000 for one in RANKED]
    assert shares[:3] == [1.0] * 3
    assert shares[3:20] == pytest.approx([3 / 17] * 17, abs=0.04)
    assert shares[20:] == pytest.approx([3 / 20] * 40, abs=0.04)


def test_a_stratum_with_one_known_member_is_taken_with_its_neighbour() -> None:
    strata = draw(RANKED, 12)
    lost = strata[2].drawn[:2]
    known = [one for one in places(strata) if one not in lost]
    left = observed(strata, known)
    assert [len(stratum.drawn) for stratum in left] == [3, 3, 4]
    assert [len(stratum.members) for stratum in left] == [3, 17, 40]


def test_pairs_stand_for_all_pairs_on_average() -> None:
    count = len(RANKED)
    whole = np.zeros((count, count))
    for key in range(1500):
        strata = draw(RANKED, 10, key=str(key))
        sampled = list(places(strata))
        at = [RANKED.index(one) for one in sampled]
        whole[np.ix_(at, at)] += pair_weights(strata, sampled) / 1500
    off = whole[~np.eye(count, dtype=bool)]
    assert off.mean() == pytest.approx(1, abs=0.01)
    blocks = [whole[np.ix_(rows, columns)].sum() for rows in (range(20), range(20, 60)) for columns in (range(20), range(20, 60))]
    assert blocks == pytest.approx([20 * 19, 20 * 40, 40 * 20, 40 * 39], rel=0.05)
