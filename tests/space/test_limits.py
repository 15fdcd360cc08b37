import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import SpaceError
from nas.space import Limit, broken_limits


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("params <= 50e3", Limit("params", "<=", 50_000)),
        ("latency_ms<5", Limit("latency_ms", "<", 5)),
        ("  accuracy  >=  0.9 ", Limit("accuracy", ">=", 0.9)),
        ("top5 > -1.5E-3", Limit("top5", ">", -0.0015)),
        ("flops <= 200_000", Limit("flops", "<=", 200_000)),
    ],
)
def test_a_limit_is_read_from_text(text, limit):
    assert Limit.parse(text) == limit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "''"),
        ("params", "'params'"),
        ("params <= ", "'params <= '"),
        ("params = 5", "'params = 5'"),
        ("params == 5", "'params == 5'"),
        ("params <= 5 MB", "'params <= 5 MB'"),
        ("Params <= 5", "'Params <= 5'"),
        ("5 >= params", "'5 >= params'"),
        ("params <= 1e", "'params <= 1e'"),
        ("params <= 1-2", "'params <= 1-2'"),
        ("params <= nan", "'params <= nan'"),
        ("params <= 5\nor so", "'params <= 5\\nor so'"),
        (5, "5"),
        (None, "None"),
        (["params <= 5"], "['params <= 5']"),
    ],
)
def test_other_text_is_refused(text, shown):
    with pytest.raises(SpaceError) as caught:
        Limit.parse(text)
    assert str(caught.value) == f"a limit reads like 'params <= 50e3', got {shown}."


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: Limit.parse("params <= 1e999"), "params <= inf"),
        (lambda: Limit("params", "<=", math.nan), "params <= nan"),
        (lambda: Limit("params", "==", 5), "params == 5"),
    ],
)
def test_a_limit_needs_a_known_comparison_and_a_finite_bound(make, shown):
    with pytest.raises(SpaceError) as caught:
        make()
    assert str(caught.value) == f"a limit is a figure, one of <=, <, >=, >, and a finite bound, got '{shown}'."


@pytest.mark.parametrize(
    ("text", "below", "at", "above"),
    [
        ("x <= 4", True, True, False),
        ("x < 4", True, False, False),
        ("x >= 4", False, True, True),
        ("x > 4", False, False, True),
    ],
)
def test_a_limit_allows_what_its_comparison_says(text, below, at, above):
    limit = Limit.parse(text)
    assert [limit.allows(value) for value in (3, 4, 5)] == [below, at, above]


@pytest.mark.parametrize(
    ("text", "value", "excess"),
    [
        ("x <= 4", 6, 0.5),
        ("x <= 4", 4, 0.0),
        ("x <= 4", 3, -0.25),
        ("x < 4", 4, 1e-12),
        ("x >= 4", 3, 0.25),
        ("x >= 4", 6, -0.5),
        ("x > 4", 4, 1e-12),
        ("x <= 0", 3, 3.0),
        ("x >= -4", -5, 0.25),
        ("x <= 4", math.inf, math.inf),
        ("x <= 4", math.nan, 1e-12),
        ("x >= 4", math.nan, 1e-12),
    ],
)
def test_the_excess_is_a_share_of_the_bound(text, value, excess):
    assert Limit.parse(text).excess(value) == pytest.approx(excess, rel=1e-9, abs=0)


@settings(deadline=None)
@given(
    comparison=st.sampled_from(["<=", "<", ">=", ">"]),
    bound=st.floats(allow_nan=False, allow_infinity=False),
    value=st.floats(),
)
def test_the_excess_is_above_0_exactly_outside_the_limit(comparison, bound, value):
    limit = Limit("x", comparison, bound)
    assert (limit.excess(value) > 0) is not limit.allows(value)


@settings(deadline=None)
@given(comparison=st.sampled_from(["<=", "<", ">=", ">"]), bound=st.floats(allow_nan=False, allow_infinity=False))
def test_a_limit_survives_being_written_and_read(comparison, bound):
    limit = Limit("latency_ms", comparison, bound)
    assert Limit.parse(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("params<=50e3", "params <= 50000"),
        ("params <= 12345678901", "params <= 12345678901"),
        ("latency_ms < 0.1", "latency_ms < 0.1"),
        ("params > 1e300", "params > 1e+300"),
    ],
)
def test_a_limit_is_written_short(text, written):
    assert str(Limit.parse(text)) == written


def test_the_limits_that_figures_break_are_told_with_the_figures():
    limits = [Limit.parse(text) for text in ("params <= 1000", "latency_ms < 5", "accuracy >= 0.9", "flops <= 10")]
    figures = {"params": 1234, "latency_ms": 4.9, "accuracy": 0.85}
    assert broken_limits(figures, limits) == ("params <= 1000, got 1,234", "accuracy >= 0.9, got 0.85")
