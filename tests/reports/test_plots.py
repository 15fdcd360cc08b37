import subprocess
import sys
import xml.etree.ElementTree as ET

import matplotlib
import pytest
from books import Book, MakeBook, curve, record

from nas.benchmark import Objective
from nas.errors import LedgerError
from nas.reports import learning_curves
from nas.reports.curves import sparkline, thin

ACCURACY = Objective("validation_accuracy", "maximize")
GREY = "#b4bac2"


def lines(image: bytes) -> list[str]:
    """The styles of the curves of an image, without those of its legend."""
    root = ET.fromstring(image)  # noqa: S314 - our own image
    paths = [element for element in root.iter() if element.tag.endswith("}path") and "clip-path" in element.attrib]
    return [path.attrib["style"] for path in paths]


def filled(book: Book, count: int, epochs: int = 4) -> Book:
    for n in range(count):
        book.add(record(accuracy=0.5 + n / 100, curve=curve(0.5 + n / 100, epochs)))
    return book


def test_the_best_eight_are_coloured_and_dashed_apart_and_the_rest_is_grey(book: Book) -> None:
    styles = lines(learning_curves(filled(book, 12).trials(), ACCURACY))
    grey = [style for style in styles if GREY in style]
    coloured = [style for style in styles if GREY not in style]
    assert (len(grey), len(coloured)) == (4, 8)
    assert len(set(coloured)) == 8


def test_pruned_trials_are_grey_however_well_they_stood(book: Book) -> None:
    book.add(record("pruned", accuracy=0.99))
    book.add(record(accuracy=0.5))
    styles = lines(learning_curves(book.trials(), ACCURACY))
    assert [GREY in style for style in styles] == [True, False]


def test_a_figure_to_minimise_is_best_at_its_least(book: Book) -> None:
    trials = filled(book, 12).trials()
    largest, least = (learning_curves(trials, Objective("validation_accuracy", way)) for way in ("maximize", "minimize"))  # type: ignore[arg-type]
    assert largest != least


def test_an_evaluation_that_was_reused_is_drawn_once(book: Book) -> None:
    first = book.add(record(accuracy=0.9), evaluation="same")
    book.add(record(accuracy=0.9), evaluation="same", reused_from=first.id)
    assert len(lines(learning_curves(book.trials(), ACCURACY))) == 1


def test_trials_without_a_curve_are_left_out_and_none_at_all_is_refused(book: Book) -> None:
    book.add()
    book.add(record("infeasible", accuracy=None))
    with pytest.raises(LedgerError, match="No trial has a learning curve of 'validation_accuracy'"):
        learning_curves(book.trials(), ACCURACY)
    book.add(record(accuracy=0.9, curve=curve(0.9, 1)))
    assert learning_curves(book.trials(), ACCURACY).startswith(b"<svg")


def test_an_image_does_not_grow_with_epochs_or_trials(book: Book) -> None:
    trials = filled(book, 105, epochs=150).trials()
    image = learning_curves(trials, ACCURACY)
    assert len(lines(image)) == 100
    assert len(image) < 100_000


def test_equal_trials_give_equal_bytes(book: Book) -> None:
    trials = filled(book, 3).trials()
    assert learning_curves(trials, ACCURACY) == learning_curves(trials, ACCURACY)


def test_the_settings_of_matplotlib_stay_as_they_were(book: Book) -> None:
    trials = filled(book, 10).trials()
    before = dict(matplotlib.rcParams)
    learning_curves(trials, ACCURACY)
    assert dict(matplotlib.rcParams) == before
    assert matplotlib._pylab_helpers.Gcf.get_num_fig_managers() == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["$\\frac{$", "漢字", "</svg>", "a\x00b", "_", "", "%s {}"])
def test_any_name_of_a_figure_can_stand_at_the_axis(book: Book, name: str) -> None:
    figures = {name: 0.5}
    points = tuple(type(point)(epoch=point.epoch, train_loss=1.0, figures=figures, seconds=1.0) for point in curve(0.5))
    book.add(record(accuracy=None, figures=figures, curve=points))
    ET.fromstring(learning_curves(book.trials(), Objective(name, "maximize")))  # noqa: S314 - our own image


def test_thinning_keeps_the_first_and_the_last() -> None:
    assert thin(range(100), 5) == [0, 25, 50, 74, 99]
    assert thin(range(3), 5) == [0, 1, 2]


def test_a_sparkline_runs_from_left_to_right_within_its_box(make_book: MakeBook) -> None:
    trial = make_book().add(record(accuracy=0.8, curve=curve(0.8, 4)))
    found = sparkline(trial, "validation_accuracy", (0.2, 0.8), "accuracy")
    assert found is not None
    assert found.path == "0,40 53,27 107,13 160,0"
    assert found.values.replace("\u00a0", " ") == "1: 0.2, 2: 0.4, 3: 0.6, 4: 0.8"


def test_a_sparkline_of_one_flat_epoch_is_a_point(make_book: MakeBook) -> None:
    trial = make_book().add(record(accuracy=0.5, curve=curve(0.5, 1)))
    found = sparkline(trial, "validation_accuracy", (0.5, 0.5), "accuracy")
    assert found is not None
    assert found.path == "0,40"


def test_importing_the_room_loads_nothing_that_draws_or_renders() -> None:
    code = "import sys, nas.reports, nas.reports.tables; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "seaborn", "matplotlib", "jinja2"} & set(done.stdout.split())


def test_the_room_refuses_a_name_that_it_does_not_have() -> None:
    import nas.reports

    with pytest.raises(AttributeError, match=r"module 'nas\.reports' has no attribute 'write'"):
        nas.reports.write  # noqa: B018
