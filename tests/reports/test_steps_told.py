"""How steps are told to people."""

import pytest

from nas.ranking.steps import Spread
from nas.reports.steps import told


@pytest.mark.parametrize(
    ("spread", "words"),
    [
        (Spread(mean=-0.00001, low=-0.01001, high=0.00999, count=2), "+0.0000 ± 0.0100"),
        (Spread(mean=-0.0042, low=None, high=None, count=1), "-0.0042"),
        (Spread(mean=0.0042, low=0.0042, high=0.0042, count=2), "+0.0042"),
    ],
    ids=["no minus before zeros", "one seed", "no luck in it"],
)
def test_a_difference_has_a_sign_and_its_interval_where_there_is_one(spread: Spread, words: str) -> None:
    assert told(spread, "validation_accuracy", signed=True) == words
