import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from books import latency
from rich.console import Console
from toys import toy_record

from nas.benchmark import Budget, Objective
from nas.ranking import Row, Summary, Table
from nas.records import FIGURES, Machine, Setting, Trial
from nas.reports.tables import NOT_MEASURED, headline, neutral, print_tables, show, tables_csv, tables_data, title
from nas.space import Architecture, Limit

MACHINE = Machine(system="Linux x86_64", processor="A Processor", cores=2, memory_gib=16)
FIGURES_OF_A_ROW = {"validation_accuracy": 0.9, "validation_loss": 0.3, "params": 12_345, "flops": 1_500_000, "macs": 750_000}


def summary(value: float, deviation: float | None = None, count: int = 1) -> Summary:
    return Summary(mean=value, deviation=deviation, count=count)


def trial(number: int, seed: int = 0, commit: str | None = "0123456789ab") -> Trial:
    record = replace(toy_record("complete", {}, (), seed, Budget(epochs=3)), commit=commit)
    return Trial(
        id=number + 1,
        study="a",
        stage="search",
        number=number,
        state="complete",
        architecture=Architecture("toy", 1, {}),
        evaluation="key",
        reused_from=None,
        begun_at="2026-01-01",
        ended_at="2026-01-02",
        proposal={},
        record=record,
    )


def row(
    rank: int = 1, *, figures: Mapping[str, Any] = FIGURES_OF_A_ROW, choices: Mapping[str, Any] | None = None, **rest: Any
) -> Row:
    """A row whose figures are numbers, or summaries where they vary."""
    given: dict[str, Any] = {
        "on_front": False,
        "study": "a",
        "number": 10 + rank,
        "architecture": Architecture("toy", 1, choices or {"width": 8 * rank}),
        "figures": {name: value if isinstance(value, Summary) else summary(value) for name, value in figures.items()},
        "trials": (trial(10 + rank),),
    }
    return Row(rank=rank, **given | rest)


def table(*rows: Row, **rest: Any) -> Table:
    given: dict[str, Any] = {
        "benchmark": "digits v1",
        "stage": "search",
        "budget": "3 epochs",
        "recipe": "",
        "setting": Setting(machine=MACHINE, device="cpu", threads=1),
        "objectives": (Objective("validation_accuracy", "maximize"),),
        "cost": "flops",
    }
    return Table(rows=rows, **given | rest)


def setting(**rest: Any) -> Setting:
    return replace(Setting(machine=MACHINE, device="cpu", threads=1), **rest)


def printed(*tables: Table, top: int | None = None) -> str:
    """What people see in a terminal of 200 columns."""
    stream = io.StringIO()
    print_tables(tables, Console(file=stream, width=200), top=top)
    return stream.getvalue()


def head(text: str) -> str:
    """The words above the first table, which rich breaks at the table's width."""
    return " ".join(text[: text.index(" architecture ")].rpartition("\n")[0].split())


def columns(text: str) -> list[str]:
    """The titles of the first table's columns."""
    line = next(line for line in text.splitlines() if " architecture " in line)
    return [name.strip() for name in line.split("  ") if name.strip()]


def body(text: str) -> list[list[str]]:
    """The words of each row of the first table."""
    lines = [line.split() for line in text.splitlines()]
    rule = next(n for n, words in enumerate(lines) if words and set("".join(words)) == {"─"})
    end = next(n for n, words in enumerate(lines) if words and words[0] == "◆")
    return lines[rule + 1 : end]


# For people.


def test_a_table_says_what_its_rows_have_in_common() -> None:
    common = "digits v1 · search · 3 epochs · cpu, 1 thread · A Processor, 2 cores, 16 GiB, Linux x86_64"
    assert headline(table()) == common
    assert head(printed(table(row()))) == common
    assert " · finalists, trained again · " in headline(table(stage="final"))


def test_a_row_shows_its_rank_its_architecture_its_figures_and_its_trial() -> None:
    text = printed(table(row(1, on_front=True), row(2)))
    assert columns(text) == ["#", "architecture", "validation accuracy", "params", "MFLOPs", "trial"]
    first, second = body(text)
    architecture = Architecture("toy", 1, {"width": 8})
    assert first == ["1", "◆", architecture.id, "0.9000", "12,345", "1.50", "11"]
    assert second[:2] == ["2", Architecture("toy", 1, {"width": 16}).id]
    assert "◆ on the Pareto front of validation_accuracy and flops." in text


def test_finalists_show_the_number_of_their_seeds_and_the_spread() -> None:
    figures = {"validation_accuracy": summary(0.9, 0.0123, 3)}
    text = printed(table(row(figures=figures, trials=tuple(trial(n, seed=n) for n in range(3))), stage="final"))
    assert columns(text)[-1] == "seeds"
    assert body(text)[0][-4:] == ["0.9000", "±", "0.0123", "3"]


def test_the_study_is_named_only_where_there_are_several() -> None:
    assert "study" not in columns(printed(table(row(1), row(2))))
    text = printed(table(row(1), row(2, study="another")))
    assert columns(text)[-1] == "study"
    assert [words[-1] for words in body(text)] == ["a", "another"]


def test_what_was_not_measured_is_a_dash_and_never_zero() -> None:
    text = printed(table(row(1), row(2, figures={"validation_accuracy": 0.5})))
    assert body(text)[1][2:] == ["0.5000", NOT_MEASURED, NOT_MEASURED, "12"]


def test_only_the_top_is_shown_where_asked_and_the_rest_is_counted() -> None:
    rows = [row(rank) for rank in range(1, 1_204)]
    text = printed(table(*rows), top=2)
    assert [words[0] for words in body(text)] == ["1", "2"]
    assert "1,201 more rows; --top shows them." in text
    assert "more rows" not in printed(table(*rows[:3]), top=3)


def test_tables_stand_one_after_the_other() -> None:
    text = printed(table(row(), stage="final"), table(row()))
    assert text.index("finalists, trained again") < text.index("· search ·")
    assert text.count("on the Pareto front") == 2
    assert printed() == ""


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("validation_accuracy", summary(0.98765), "0.9877"),
        ("validation_accuracy", summary(0.98765, 0.00123, 3), "0.9877 ± 0.0012"),
        ("validation_accuracy", summary(0.5, 0.0, 2), "0.5000"),
        ("params", summary(1_234_567), "1,234,567"),
        ("flops", summary(12_345_678), "12.35"),
        ("flops", summary(992), "0.001"),
        ("flops", summary(0), "0.00"),
        ("macs", summary(6_000_000), "6.00"),
        ("peak_memory_bytes", summary(3 * 2**20), "3.00"),
        ("latency_ms", summary(0.12345), "0.123"),
        ("train_seconds", summary(61.234), "61.23"),
        ("train_seconds", None, "–"),
        ("score", summary(-0.25), "-0.2500"),
        ("score", summary(math.inf), "inf"),
        ("validation_loss", summary(1.2346e30, 2e29, 2), "1.235e+30 ± 2.000e+29"),
        ("params", summary(999_999_999_999), "999,999,999,999"),
    ],
)
def test_a_figure_is_shown_in_the_unit_of_its_title(name: str, given: Summary | None, text: str) -> None:
    assert show(name, given) == text


def test_titles_name_the_unit() -> None:
    names = ["flops", "macs", "peak_memory_bytes", "latency_ms", "train_seconds", "validation_accuracy"]
    assert [title(name) for name in names] == ["MFLOPs", "MMACs", "memory MiB", "latency ms", "train s", "validation accuracy"]
    assert all(title(name) for name in FIGURES)


HOSTILE = ["[/x]", "[red]", "[bold]x[/bold]", ":smile:", "[link=https://example.org]x", "\\[x]"]


def test_a_latency_that_was_disturbed_says_so() -> None:
    figures = {"validation_accuracy": 0.9, "latency_ms": 1.25}

    def measured(disturbed: str | None) -> Row:
        one = trial(3)
        assert one.record is not None
        return row(
            figures=figures,
            trials=(replace(one, record=replace(one.record, latency=replace(latency(1.25), disturbed=disturbed))),),
        )

    assert "≈" not in printed(table(measured(None)))
    text = printed(table(measured("The reference network took 2.00 times its best meanwhile.")))
    assert "≈ 1.250" in text
    assert "≈ measured while other work went on; see its interval." in text


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["benchmark", "budget", "recipe", "cost"])
def test_a_hostile_name_of_a_table_is_printed_as_it_is(place: str, name: str) -> None:
    assert name in printed(table(row(), **{place: name}))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_of_a_machine_a_study_or_an_objective_is_printed_as_it_is(name: str) -> None:
    assert name in printed(table(row(), setting=setting(machine=replace(MACHINE, processor=name))))
    assert name in printed(table(row(), setting=setting(device=name)))
    assert name in printed(table(row(study=name), row()))
    assert name in printed(table(row(), objectives=(Objective(name, "maximize"),)))


@pytest.mark.parametrize("name", ["[/x]", "[red]", ":smile:"])
def test_a_hostile_name_of_a_figure_is_printed_as_it_is(name: str) -> None:
    assert name in columns(printed(table(row(figures={"validation_accuracy": 1, name: 2}))))


# For spreadsheets.


def parsed(*tables: Table) -> list[dict[str, str]]:
    """The rows as the csv module reads them back."""
    return list(csv.DictReader(io.StringIO(tables_csv(tables)), strict=True))


def test_csv_has_a_row_each_with_its_figures_as_they_were_measured_and_its_choices() -> None:
    first = row(1, on_front=True, choices={"width": 8, "kind": "pool"})
    second = row(2, figures={"validation_accuracy": 0.1 + 0.2}, choices={"width": 16, "rate": 0.5})
    found = parsed(table(first, second))
    assert list(found[0]) == [
        *(
            "benchmark",
            "stage",
            "budget",
            "recipe",
            "machine",
            "device",
            "threads",
            "precision",
            "compile",
            "processes",
            "rank",
            "on_front",
            "knee",
            "score",
            "broken_limits",
            "study",
            "trial",
            "architecture",
            "seeds",
        ),
        *("validation_accuracy", "params", "macs", "flops", "validation_loss"),
        *("choice:width", "choice:kind", "choice:rate"),
    ]
    assert found[0] == {
        "benchmark": "digits v1",
        "stage": "search",
        "budget": "3 epochs",
        "recipe": "",
        "machine": str(MACHINE),
        "device": "cpu",
        "threads": "1",
        "precision": "float32",
        "compile": "never",
        "processes": "1",
        "rank": "1",
        "on_front": "1",
        "knee": "0",
        "score": "",
        "broken_limits": "",
        "study": "a",
        "trial": "11",
        "architecture": first.architecture.id,
        "seeds": "1",
        **{name: str(value) for name, value in FIGURES_OF_A_ROW.items()},
        "choice:width": "8",
        "choice:kind": "pool",
        "choice:rate": "",
    }
    assert float(found[1]["validation_accuracy"]) == 0.1 + 0.2
    assert [found[1][name] for name in ("params", "flops", "choice:kind")] == [""] * 3


def test_csv_of_several_tables_is_one() -> None:
    found = parsed(table(row(), stage="final"), table(row(figures={"test_accuracy": 0.5})))
    assert [line["stage"] for line in found] == ["final", "search"]
    assert [line["test_accuracy"] for line in found] == ["", "0.5"]
    assert parsed() == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", '=HYPERLINK("x")', "-"])
def test_text_that_a_spreadsheet_would_calculate_is_neutralised(text: str) -> None:
    (found,) = parsed(table(row(study=text, choices={"kind": text}), benchmark=text, setting=setting(device=text)))
    for cell in ("benchmark", "device", "study", "choice:kind"):
        assert found[cell] == f"'{text}"


def test_a_carriage_return_does_not_break_a_row() -> None:
    (found,) = parsed(table(row(choices={"kind": "a\rb"})))
    assert found["choice:kind"] == "a b"


def test_a_column_that_a_spreadsheet_would_calculate_is_neutralised() -> None:
    (found,) = parsed(table(row(figures={"validation_accuracy": 1, "=1+1": 2})))
    assert "=1+1" not in found
    assert found["'=1+1"] == "2"


@pytest.mark.parametrize("value", [-3, -0.5, -1e-9, 0, True, None])
def test_a_number_is_never_neutralised(value: Any) -> None:
    assert neutral(value) is value
    (found,) = parsed(table(row(figures={"validation_accuracy": -3}, choices={"a": value})))
    assert found["validation_accuracy"] == "-3"
    assert found["choice:a"] == ("" if value is None else str(value))


@pytest.mark.parametrize("text", ["", "a", "a=b", "1-2", 'a "quoted" word', "a,b", "a\nb", "é ☃"])
def test_harmless_text_is_read_back_as_it_was(text: str) -> None:
    (found,) = parsed(table(row(choices={"kind": text}), setting=setting(device=text)))
    assert (found["device"], found["choice:kind"]) == (text, text)


# For scripts.


def test_json_is_equal_to_the_data_and_holds_every_figure() -> None:
    figures = {"validation_accuracy": summary(0.9, 0.01, 2), "params": 12_345}
    trials = (trial(0, seed=1, commit="0123456789ab-dirty"), trial(1, seed=2, commit=None))
    one = row(1, on_front=True, figures=figures, trials=trials, choices={"width": 8, "kind": None, "bias": True})
    data = tables_data([table(one, stage="final")])
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data == [
        {
            "schema": "urn:nas-harness:leaderboard:1",
            "benchmark": "digits v1",
            "stage": "final",
            "budget": "3 epochs",
            "recipe": "",
            "device": "cpu",
            "threads": 1,
            "precision": "float32",
            "compile": "never",
            "processes": 1,
            "machine": {
                "system": "Linux x86_64",
                "processor": "A Processor",
                "cores": 2,
                "memory_gib": 16,
                "accelerator": None,
                "id": MACHINE.id,
            },
            "objectives": [{"figure": "validation_accuracy", "direction": "maximize"}],
            "cost": "flops",
            "order": {"name": "pareto", "weights": None, "priorities": [], "scale": None},
            "limits": [],
            "left_out": 0,
            "apart": None,
            "hypervolume": None,
            "certainty": None,
            "rows": [
                {
                    "rank": 1,
                    "on_front": True,
                    "knee": False,
                    "score": None,
                    "broken_limits": [],
                    "study": "a",
                    "trial": 11,
                    "architecture": one.architecture.id,
                    "figures": {
                        "validation_accuracy": {"mean": 0.9, "deviation": 0.01, "count": 2},
                        "params": {"mean": 12_345, "deviation": None, "count": 1},
                    },
                    "certainty": None,
                    "choices": {"width": 8, "kind": None, "bias": True},
                    "seeds": [1, 2],
                    "commits": ["", "0123456789ab-dirty"],
                }
            ],
        }
    ]
    assert tables_data([]) == []


def test_data_is_a_copy_that_a_script_may_change() -> None:
    one = table(row())
    data = tables_data([one])
    data[0]["objectives"][0]["direction"] = "minimize"
    data[0]["machine"]["cores"] = 99
    data[0]["rows"][0]["figures"]["params"]["mean"] = 0
    data[0]["rows"][0]["choices"]["width"] = 0
    assert one == table(row())


def test_on_a_narrow_terminal_costs_give_way_and_no_figure_is_cut() -> None:
    figures = {"validation_accuracy": 0.98765, "params": 12345, "flops": 5e6, "latency_ms": 1.5, "train_seconds": 3}
    stream = io.StringIO()
    print_tables([table(row(figures=figures))], Console(file=stream, width=70))
    text = stream.getvalue()
    assert "0.9877" in text
    assert "…" not in text
    assert "No room for" in text
    assert "train s" in text.partition("No room for")[2]
    assert "; a wider window or --json has all." in " ".join(text.split())


def test_below_another_command_the_one_is_named_that_has_columns_without_room() -> None:
    stream = io.StringIO()
    print_tables(
        [table(row(figures={"validation_accuracy": 0.9, "flops": 5e6}))], Console(file=stream, width=60), command="nas rank toy"
    )
    assert "; a wider window or `nas rank toy --json` has all." in " ".join(stream.getvalue().split())


def test_csv_tells_threads_apart() -> None:
    rows = list(csv.DictReader(io.StringIO(tables_csv([table(row()), table(row(), setting=setting(threads=2))]))))
    assert [found["threads"] for found in rows] == ["1", "2"]


def test_a_row_outside_a_limit_names_its_figure_for_which_there_is_always_room() -> None:
    figures = {**FIGURES_OF_A_ROW, "test_accuracy": 0.5, "latency_ms": 7.0}
    limited = table(
        row(1, figures=figures),
        row(2, figures=figures, broken=("latency_ms <= 5, got 7",)),
        limits=(Limit.parse("latency_ms <= 5"),),
    )
    stream = io.StringIO()
    print_tables([limited], Console(file=stream, width=80))
    text = stream.getvalue()
    assert "latency ms" in columns(text)
    assert body(text)[1][-1] == "latency_ms"
    assert "Limits: latency_ms <= 5; the one outside stands below, the furthest last." in " ".join(text.split())
