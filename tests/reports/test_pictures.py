import io
import random
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, get_args

import matplotlib as mpl
import pytest
from books import Book, MakeBook, curve, fill, latency, record
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from PIL import Image

from nas.benchmark import Budget
from nas.errors import ReportError
from nas.reports.pictures import KINDS, Kind, draw, write_pictures
from nas.reports.pictures.style import to_png, to_svg

TWO = [{"figure": "validation_accuracy", "direction": "maximize"}, {"figure": "latency_ms", "direction": "minimize"}]


def searched(make_book: MakeBook, count: int = 40, **changes: Any) -> Book:
    """A study in which the kernel matters to the accuracy, and some trials are pruned."""
    book = make_book("drawn", **changes)
    rng = random.Random(1)
    for n in range(count):
        choices = {"conv.features": rng.choice([8, 16, 32]), "conv.kernel": rng.randint(1, 7)}
        accuracy = 0.6 + 0.05 * choices["conv.kernel"] + 0.01 * rng.random()
        costs = {"params": 1e3 * choices["conv.features"], "flops": 1e5 * choices["conv.kernel"], "latency_ms": 0.2 + n / 100}
        pruned = n % 8 == 7
        given = record("pruned" if pruned else "complete", accuracy=accuracy, figures=costs, latency=latency(costs["latency_ms"]))
        book.add(given, choices=choices, evaluation=f"e{n}")
    return book


def axes_of(book: Book, kind: Kind) -> list[Axes]:
    return draw(book.entry, book.trials(), kind).axes


def points(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """What is scattered, by its name."""
    found = [one for one in axes.collections if isinstance(one, PathCollection)]
    return {str(one.get_label()): [(float(x), float(y)) for x, y in one.get_offsets()] for one in found}


def test_every_kind_is_drawn_by_a_function_of_its_name_and_the_command_knows_it(full: Book) -> None:
    from nas.cli.plot import KINDS as TOLD

    assert tuple(KINDS) == TOLD == get_args(Kind)
    for kind in KINDS:
        picture = draw(full.entry, full.trials(), kind)
        assert picture.get_suptitle().startswith("demo: ")
        assert picture.axes


@pytest.mark.parametrize("kind", KINDS)
def test_equal_studies_give_equal_files_without_a_date(full: Book, kind: Kind) -> None:
    trials = full.trials()
    first, second = (to_svg(draw(full.entry, trials, kind)) for _ in range(2))
    assert first == second
    assert b"2026" not in first
    assert b"metadata" not in first
    ET.fromstring(first)  # noqa: S314 - our own image
    png = to_png(draw(full.entry, trials, kind))
    assert png == to_png(draw(full.entry, trials, kind))
    assert b"Software" not in png


def test_letters_are_as_large_as_those_of_a_paper(full: Book) -> None:
    for kind in KINDS:
        picture = draw(full.entry, full.trials(), kind)
        picture.canvas.draw()
        sizes = [text.get_fontsize() for text in picture.findobj(Text) if text.get_visible() and text.get_text().strip()]
        assert min(sizes) >= 7, kind
        assert picture.get_figwidth() <= 9


def test_a_trade_off_shows_every_row_its_front_its_limits_and_its_units(make_book: MakeBook) -> None:
    book = searched(make_book, limits=["params <= 20000"])
    params, flops, wait = axes_of(book, "pareto")
    assert [axes.get_xlabel() for axes in (params, flops, wait)] == ["parameters", "FLOPs (M)", "latency (ms)"]
    complete = {trial.architecture.id for trial in book.trials() if trial.state == "complete"}
    for axes in (params, flops, wait):
        assert sum(map(len, points(axes).values())) == len(complete)
    front = sorted(points(flops)["front"])
    assert [y for _, y in front] == sorted(y for _, y in front)
    others = [(x, y) for x, y in points(flops)["search"]]
    assert all(any(a <= x and b >= y for a, b in front) for x, y in others)
    lines = [line for line in params.lines if line.get_label() == "params <= 20000"]
    assert [list(line.get_xdata()) for line in lines] == [[20_000, 20_000]]  # type: ignore[arg-type]
    assert not [line for line in flops.lines if str(line.get_label()).startswith("params")]


def test_intervals_of_latency_and_of_finalists_are_drawn(make_book: MakeBook) -> None:
    book = searched(make_book, 12)
    for seed, accuracy in ((1, 0.9), (2, 0.94)):
        given = record(accuracy=accuracy, test=0.9, seed=seed, budget=Budget(epochs=6), curve=curve(accuracy, 6))
        book.add(given, stage="final", choices={"conv.features": 8, "conv.kernel": 7})
    *_, wait = axes_of(book, "pareto")
    spans = [line.get_xdata() for line in wait.lines if len(line.get_xdata()) == 2]  # type: ignore[arg-type]
    first = next(trial for trial in book.trials() if trial.stage == "search")
    assert first.record is not None
    assert first.record.latency is not None
    low, high = first.record.latency.low_ms, first.record.latency.high_ms
    assert any(tuple(span) == pytest.approx((low, high)) for span in spans)  # type: ignore[arg-type]
    (bar,) = wait.containers
    assert bar.get_label() == "finalists, 95 % interval"


def test_progress_keeps_the_best_so_far_and_marks_what_was_pruned(make_book: MakeBook) -> None:
    book = searched(make_book)
    (axes,) = axes_of(book, "anytime")
    (best,) = (line for line in axes.lines if line.get_label() == "best so far")
    values = list(best.get_ydata())  # type: ignore[arg-type]
    assert values == sorted(values)
    assert len(points(axes)["pruned"]) == sum(trial.state == "pruned" for trial in book.trials())


def test_several_objectives_have_their_hypervolume_which_never_falls(make_book: MakeBook) -> None:
    _, volume = axes_of(searched(make_book, objectives=TWO), "anytime")
    values = list(volume.lines[0].get_ydata())  # type: ignore[arg-type]
    assert values == pytest.approx(sorted(values))
    assert values[-1] == pytest.approx(1)


def test_a_figure_to_minimise_comes_down(make_book: MakeBook) -> None:
    book = searched(make_book, objectives=[{"figure": "latency_ms", "direction": "minimize"}])
    (best,) = (line for line in axes_of(book, "anytime")[0].lines if line.get_label() == "best so far")
    values = list(best.get_ydata())  # type: ignore[arg-type]
    assert values == sorted(values, reverse=True)


def test_the_choice_that_matters_stands_first_and_in_colour(make_book: MakeBook) -> None:
    book = searched(make_book, 60)
    (axes,) = axes_of(book, "importance")
    assert next(tick.get_text() for tick in axes.get_yticklabels()) == "conv.kernel"
    kernel, features = axes.patches
    assert kernel.get_facecolor() != features.get_facecolor()
    (means, *_) = axes_of(book, "marginals")
    dots = next(line for line in means.lines if line.get_marker() == "o")
    heights = list(dots.get_ydata())  # type: ignore[arg-type]
    assert heights == sorted(heights)


def test_parallel_coordinates_have_a_line_for_each_architecture_and_an_axis_for_each_choice(make_book: MakeBook) -> None:
    book = searched(make_book, 30)
    axes, _ = axes_of(book, "parallel")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["conv.\nfeatures", "conv.kernel"]
    complete = {trial.architecture.id for trial in book.trials() if trial.state == "complete"}
    assert sum(len(line.get_xdata()) == 3 for line in axes.lines) == len(complete)  # type: ignore[arg-type]


def test_the_funnel_counts_every_proposal(full: Book) -> None:
    (axes,) = axes_of(full, "funnel")
    widths = [round(bar.get_width()) for bar in axes.patches]  # type: ignore[attr-defined]
    assert widths[0] == sum(widths[1:]) == 15


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("pareto", "no trial is complete yet"),
        ("anytime", "no trial is complete yet"),
        ("curves", "no trial has a learning curve"),
        ("parallel", "no trial is complete yet"),
        ("importance", "fewer than 10 complete trials compare"),
        ("marginals", "fewer than 10 complete trials compare"),
        ("funnel", "nothing has been tried yet"),
    ],
)
def test_what_cannot_be_drawn_says_why(book: Book, kind: Kind, reason: str) -> None:
    with pytest.raises(ReportError, match=f"demo has no {kind} to draw: {reason}"):
        draw(book.entry, [], kind)


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    with pytest.raises(ReportError, match=r"No picture is called 'paretto'\. Did you mean 'pareto'"):
        draw(None, [], "paretto")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["$\\frac{$", "<script>", "é 漢", "a" * 300, "%s {x}"])
def test_a_hostile_name_is_drawn_as_text(make_book: MakeBook, name: str) -> None:
    goals = [{"figure": name, "direction": "maximize"}]
    book = make_book("demo", objectives=goals)
    for n in range(12):
        given = record(accuracy=0.5, figures={name: n / 12, "params": 10.0 + n})
        book.add(given, choices={"conv.features": 8, "conv.kernel": n, name: name[: n % 3]})
    for kind in ("pareto", "anytime", "parallel", "funnel"):
        ET.fromstring(to_svg(draw(book.entry, book.trials(), kind)))  # type: ignore[arg-type]  # noqa: S314 - our own image


def test_files_are_named_by_study_and_kind_and_settings_stay(full: Book, tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    files, missing = write_pictures(full.entry, full.trials(), tmp_path / "new", ["funnel", "curves"], ["svg", "png"])
    assert [path.name for path in files] == ["demo-funnel.svg", "demo-funnel.png", "demo-curves.svg", "demo-curves.png"]
    assert missing == []
    assert dict(mpl.rcParams) == before
    with Image.open(io.BytesIO(files[1].read_bytes())) as image:
        assert image.width == 1_000
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be made"):
        write_pictures(full.entry, [], tmp_path / "file" / "x", ["funnel"], ["svg"])


def test_a_notebook_shows_a_picture_as_it_is(full: Book) -> None:
    assert draw(full.entry, full.trials(), "funnel")._repr_png_().startswith(b"\x89PNG")


def test_pictures_load_no_pyplot() -> None:
    code = "import sys, nas.reports.pictures.style, nas.reports.pictures.importance; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_study_of_a_script_draws_itself(make_book: MakeBook) -> None:
    import nas

    book = fill(make_book("mine"))
    study = nas.Study("mine", str(book.ledger.shown))
    assert study.plot("funnel").get_suptitle().startswith("mine: ")
