import math
from fractions import Fraction

import numpy
import pytest

from nas.errors import SpaceError
from nas.space import Categorical, Integer, Real


class Hostile:
    shape = ()

    def item(self):
        raise RuntimeError

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None

    def __repr__(self):
        return "an object\nof two lines"


@pytest.mark.parametrize(
    ("domain", "given", "expected"),
    [
        (Categorical(1, 3), 3, 3),
        (Categorical(1, 3), 3.0, 3),
        (Categorical(1, 3), numpy.int64(3), 3),
        (Categorical(1, 3), numpy.float32(3), 3),
        (Categorical(1, 3), numpy.array(3), 3),
        (Categorical(0.5, 2.0), 2, 2.0),
        (Categorical(0, False, True), False, False),
        (Categorical(0, False, True), 0, 0),
        (Categorical(False, True), numpy.bool_(True), True),
        (Categorical("relu", None), "relu", "relu"),
        (Categorical("relu", None), numpy.str_("relu"), "relu"),
        (Categorical("relu", None), None, None),
        (Integer(1, 9), 3, 3),
        (Integer(1, 9), 3.0, 3),
        (Integer(1, 9), numpy.int64(3), 3),
        (Integer(1, 9), numpy.uint8(3), 3),
        (Integer(1, 9), numpy.float64(3), 3),
        (Integer(1, 9, step=2), 9, 9),
        (Integer(-(2**53), 2**53), 2**53, 2**53),
        (Real(0, 1), 1, 1.0),
        (Real(0, 1), 0.25, 0.25),
        (Real(0, 1), numpy.float64(0.25), 0.25),
        (Real(0, 1), numpy.int64(1), 1.0),
        (Real(0, 1), Fraction(1, 4), 0.25),
    ],
)
def test_an_answer_becomes_a_plain_value_of_the_domain(domain, given, expected):
    answer = domain.canonical(given)
    assert (type(answer), answer) == (type(expected), expected)


def test_minus_zero_becomes_zero_so_that_equal_answers_have_one_form():
    assert str(Real(-1, 1).canonical(-0.0)) == "0.0"
    assert str(Real(-0.0, 1)) == "0..1"


@pytest.mark.parametrize(
    ("domain", "given", "message"),
    [
        (Categorical("a", 1, None, True), "b", "must be in [a, 1, null, true], got 'b'."),
        (Categorical("two\nlines", 0.5), 2, "must be in ['two\\nlines', 0.5], got 2."),
        (Categorical(1, 2), True, "must be in [1, 2], got True."),
        (Categorical(1, 2), numpy.bool_(True), "must be in [1, 2], got np.True_."),
        (Categorical(False, True), 1, "must be in [false, true], got 1."),
        (Categorical(1, 2), "1", "must be in [1, 2], got '1'."),
        (Categorical(1, 2), numpy.array([1, 2]), "must be in [1, 2], got array([1, 2])."),
        (Categorical(1, 2), Hostile(), "must be in [1, 2], got an object of two lines."),
        (Integer(1, 3), 4, "must be in 1..3, got 4."),
        (Integer(1, 3), 0, "must be in 1..3, got 0."),
        (Integer(1, 3), 1.5, "must be in 1..3, got 1.5."),
        (Integer(1, 3), True, "must be in 1..3, got True."),
        (Integer(0, 1), numpy.bool_(True), "must be in 0..1, got np.True_."),
        (Integer(1, 3), "2", "must be in 1..3, got '2'."),
        (Integer(1, 3), None, "must be in 1..3, got None."),
        (Integer(1, 3), math.nan, "must be in 1..3, got nan."),
        (Integer(1, 3), math.inf, "must be in 1..3, got inf."),
        pytest.param(Integer(1, 3), 10**400, f"must be in 1..3, got 1{'0' * 76}....", id="integer-huge"),
        (Integer(2, 6, step=2), 3, "must be in 2..6 in steps of 2, got 3."),
        (Integer(1, 64, log=True), 65, "must be in 1..64 (log), got 65."),
        (Real(0, 0.5), 0.6, "must be in 0..0.5, got 0.6."),
        (Real(0, 0.5), -1e-9, "must be in 0..0.5, got -1e-09."),
        (Real(0, 1), True, "must be in 0..1, got True."),
        (Real(0, 1), numpy.bool_(True), "must be in 0..1, got np.True_."),
        (Real(0, 1), "0.5", "must be in 0..1, got '0.5'."),
        (Real(0, 1), math.nan, "must be in 0..1, got nan."),
        pytest.param(Real(0, 1), 10**400, f"must be in 0..1, got 1{'0' * 76}....", id="real-huge"),
        (Real(0, 1), 1j, "must be in 0..1, got 1j."),
        (Real(1e-4, 1, log=True), 2, "must be in 0.0001..1 (log), got 2."),
    ],
)
def test_an_answer_outside_the_domain_is_refused(domain, given, message):
    with pytest.raises(SpaceError) as caught:
        domain.canonical(given)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: Categorical(), "a choice needs at least one value, got an empty list."),
        (lambda: Categorical([1]), "a value must be text, a number, true, false or null, got [1]."),
        (lambda: Categorical(1j), "a value must be text, a number, true, false or null, got 1j."),
        (lambda: Categorical(math.nan), "a value must be finite, got nan."),
        (lambda: Categorical(-math.inf), "a value must be finite, got -inf."),
        (lambda: Categorical(1, "a", 1), "the value 1 stands twice; keep one of them."),
        (lambda: Categorical(1, 1.0), "the value 1.0 stands twice; keep one of them."),
        (lambda: Categorical(0.0, -0.0), "the value -0.0 stands twice; keep one of them."),
        (lambda: Integer(1.0, 2), "an integer range's low must be an integer, got 1.0."),
        (lambda: Integer(1, "2"), "an integer range's high must be an integer, got '2'."),
        (lambda: Integer(False, 2), "an integer range's low must be an integer, got False."),
        (lambda: Integer(1, 2, step=0.5), "an integer range's step must be an integer, got 0.5."),
        (lambda: Integer(0, 2**53 + 1), "an integer range's high must lie within ±2^53, got 9007199254740993."),
        (lambda: Integer(-(2**53) - 1, 0), "an integer range's low must lie within ±2^53, got -9007199254740993."),
        (lambda: Integer(3, 2), "a range must run from low to high, got [3, 2]."),
        (lambda: Integer(1, 2, step=0), "a range's step must be at least 1, got 0."),
        (lambda: Integer(1, 6, step=2), "[1, 6] cannot be cut in steps of 2; end it at 5."),
        (lambda: Integer(0, 8, log=True), "a log range must begin at 1 or above and have step 1, got low 0, step 1."),
        (
            lambda: Integer(2, 8, 2, log=True),
            "a log range must begin at 1 or above and have step 1, got low 2, step 2.",
        ),
        (lambda: Real("0", 1), "a real range's low must be a finite number, got '0'."),
        (lambda: Real(0, True), "a real range's high must be a finite number, got True."),
        (lambda: Real(0, math.inf), "a real range's high must be a finite number, got inf."),
        (lambda: Real(math.nan, 1), "a real range's low must be a finite number, got nan."),
        (lambda: Real(0, 10**399), f"a real range's high must be a finite number, got 1{'0' * 76}...."),
        (lambda: Real(1, 1), "a range must run from low to high, got [1.0, 1.0]."),
        (lambda: Real(2, 1), "a range must run from low to high, got [2.0, 1.0]."),
        (lambda: Real(-1e308, 1e308), "a real range's width must be finite, got [-1e+308, 1e+308]."),
        (lambda: Real(0, 1, log=True), "a log range must begin above 0, got 0.0."),
    ],
)
def test_a_domain_that_makes_no_sense_is_refused(declare, message):
    with pytest.raises(SpaceError) as caught:
        declare()
    assert str(caught.value) == message


def test_true_and_1_are_two_values():
    assert Categorical(1, True, 0, False).values == (1, True, 0, False)


def test_values_from_numpy_become_plain():
    values = Categorical(numpy.int64(3), numpy.float64(0.5), numpy.bool_(True)).values
    assert [(type(value), value) for value in values] == [(int, 3), (float, 0.5), (bool, True)]


@pytest.mark.parametrize(
    ("domain", "answers"),
    [
        (Categorical("a", None), ["a", None]),
        (Integer(3, 3), [3]),
        (Integer(-1, 1), [-1, 0, 1]),
        (Integer(8, 24, step=8), [8, 16, 24]),
    ],
)
def test_a_domain_counts_and_lists_its_answers(domain, answers):
    assert list(domain) == answers
    assert domain.size == len(answers)


def test_a_real_range_has_infinitely_many_answers():
    assert Real(0, 1).size == math.inf


def test_a_list_of_ten_thousand_values_is_checked_at_once():
    assert Categorical(*range(10_000)).size == 10_000


def test_a_choice_of_booleans_is_not_a_choice_of_integers() -> None:
    assert Categorical(0, 1) != Categorical(False, True)
    assert Categorical(0, 1) == Categorical(0.0, 1.0)
    assert hash(Categorical(0, 1)) == hash(Categorical(0.0, 1.0))
