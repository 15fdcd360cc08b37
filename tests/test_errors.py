import pytest

from nas import errors
from nas.errors import NasError, did_you_mean, quote

ERRORS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]


def test_every_error_is_a_nas_error_and_stands_in_the_tree_of_the_docstring():
    drawn, above = {}, {0: "NasError"}
    for line in errors.__doc__.splitlines():
        if "──" in line:
            name, depth = line.partition("── ")[2].split()[0], line.index("──") // 4
            drawn[name], above[depth + 1] = above[depth], name
    assert list(drawn.items()) == [(error.__name__, error.__base__.__name__) for error in ERRORS if error is not NasError]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", "'a'"),
        ("a\nb", "'a\\nb'"),
        (None, "None"),
        ("x" * 78, f"'{'x' * 78}'"),
        ("x" * 79, f"'{'x' * 76}..."),
    ],
)
def test_a_quoted_value_fits_on_a_line(value, shown):
    assert quote(value) == shown
    assert len(quote(value)) <= 80


def test_a_repr_of_several_lines_is_quoted_on_one():
    class Table:
        def __repr__(self):
            return "a  b\n\t1  2\u2028"

    assert quote(Table()) == "a b 1 2"


@pytest.mark.parametrize(
    ("name", "known", "advice"),
    [
        ("mixr", ["residual_cnn", "mixer"], "Did you mean 'mixer'? Known: mixer, residual_cnn."),
        ("transformer", ["residual_cnn", "mixer"], "Known: mixer, residual_cnn."),
        (
            "acc",
            ["validation_acc_low", "validation_acc"],
            "Did you mean 'validation_acc'? Known: validation_acc, validation_acc_low.",
        ),
        ("cn", ["residual_cnn"], "Known: residual_cnn."),
        ("mixr", [], "Known: none."),
        (5, ["mixer"], "Known: mixer."),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_all_known_names(name, known, advice):
    assert did_you_mean(name, known) == advice
