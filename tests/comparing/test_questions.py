from pathlib import Path

import numpy as np
import pytest
from made_up import write_table

from nas.benchmark import Objective
from nas.comparing.arena import Arena, arena_of
from nas.comparing.questions import pose, read_limits, read_tables
from nas.comparing.running import run
from nas.comparing.values import Question
from nas.errors import CompareError, SpaceError
from nas.space import Categorical, Layer, Limit, OneOf, Ref, Space
from nas.tables import Table

SMALL, LARGE = Limit.parse("params <= 500"), Limit.parse("params >= 300")


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Table, ...]:
    return read_tables([write_table(tmp_path / "one.csv", spread=(-2.0, 2.0)), write_table(tmp_path / "two.csv")])


def test_a_limit_is_a_question_beside_the_whole_table(tables: tuple[Table, ...]) -> None:
    questions = pose(tables, ["params<=5e2", "two: params >= 300"])
    assert list(questions) == [
        Question("one"),
        Question("one", "params <= 500"),
        Question("two"),
        Question("two", "params <= 500"),
        Question("two", "params >= 300"),
    ]
    assert questions[Question("two", "params >= 300")].limits == (LARGE,)


def test_commas_join_limits_and_the_same_question_is_asked_once(tables: tuple[Table, ...]) -> None:
    questions = pose(tables, ["one: params <= 500, params >= 300", "one: params<=500,params>=300"])
    assert list(questions) == [Question("one"), Question("one", "params <= 500, params >= 300"), Question("two")]


def test_a_colon_within_a_figure_names_its_device() -> None:
    assert read_limits("latency_ms:raspi4 <= 5") == (None, (Limit.parse("latency_ms:raspi4 <= 5"),))
    assert read_limits("one: latency_ms:raspi4 <= 5") == ("one", (Limit.parse("latency_ms:raspi4 <= 5"),))


def test_a_limit_for_a_table_that_is_not_there_is_refused(tables: tuple[Table, ...]) -> None:
    with pytest.raises(CompareError, match=r"No table is called 'tow', which a limit is for\. Did you mean 'two'\?"):
        pose(tables, ["tow: params <= 500"])


def test_what_is_no_limit_is_refused() -> None:
    with pytest.raises(SpaceError, match="a limit reads like 'params <= 50e3', got ''"):
        read_limits("params <= 5,")


def test_an_arena_says_what_its_table_says(tables: tuple[Table, ...]) -> None:
    noisy = tables[0]
    arena = arena_of(noisy)
    assert arena.trainings.shape == (64, 2)
    assert arena.features(arena.architectures[0]) == {"params": 900.0}
    assert arena.expected(64)[-1] >= 0
    assert arena_of(noisy, noise=False).trainings.shape == (64, 1)
    assert (arena_of(noisy, noise=False).regrets == arena.regrets).all()
    assert arena.even


def test_a_score_that_the_table_does_not_have_is_refused(tables: tuple[Table, ...]) -> None:
    with pytest.raises(CompareError, match=r"The table one has no proxy:synflow\. Known: none\."):
        arena_of(tables[0], proxies=["synflow"])


def test_without_noise_the_closed_form_is_that_of_the_table(tables: tuple[Table, ...]) -> None:
    counts = [1, 5, 20, 64]
    found = arena_of(tables[1]).expected(64)
    assert [found[n - 1] for n in counts] == pytest.approx(list(tables[1].expected_regret(counts)))


def test_where_choices_hang_on_each_other_random_search_does_not_draw_evenly() -> None:
    space = Space(
        name="fork",
        version=1,
        accepts="image",
        layers=(
            OneOf(
                "kind",
                {
                    "plain": (Layer("row"),),
                    "wide": (Layer("row", {"width": Ref("width")}),),
                },
            ),
        ),
        choices={"width": Categorical(1, 2, 3)},
    )
    found = [space.architecture({"kind": "plain"}), *(space.architecture({"kind": "wide", "width": n}) for n in (1, 2, 3))]
    figures = np.arange(4.0)
    arena = Arena(
        question=Question("fork"),
        space=space,
        objective=Objective("accuracy", "maximize"),
        limits=(),
        architectures=found,
        trainings=figures[:, None],
        means=figures,
        figures={"params": figures},
    )
    assert not arena.even
    assert run(arena, "random", 0, 4).regrets[-1] == 0
