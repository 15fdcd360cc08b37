import base64
import hashlib
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from books import BENCHMARK, MACHINE, Book, MakeBook, books_in, curve, latency, record
from click.testing import CliRunner
from hostile import HOSTILE, hostile_book
from trees import Element, parse

from nas.benchmark import Budget
from nas.cli import commands
from nas.errors import LedgerError, ReportError
from nas.records import Failure
from nas.reports import write_report
from nas.reports.origin import holds
from nas.searching import SearchConfig


def inline(page: Element, tag: str) -> list[str]:
    return [element.raw for element in page.all(tag) if "type" not in element.attributes]


def policy(page: Element) -> dict[str, list[str]]:
    (meta,) = [m for m in page.all("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy"]
    return {words[0]: words[1:] for words in (part.split() for part in meta.attributes["content"].split(";"))}


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def data(page: Element) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.by_id("data").raw)
    return found


def rows(table: Element) -> list[list[str]]:
    """The first row of each body of a leaderboard, cell by cell."""
    bodies = [part for part in table.parts if isinstance(part, Element) and part.tag == "tbody"]
    first = [next(part for part in body.parts if isinstance(part, Element)) for body in bodies]
    return [[cell.text for cell in row.parts if isinstance(cell, Element) and cell.tag == "td"] for row in first]


def headers(table: Element) -> list[str]:
    return [header.text for header in table.all("thead")[0].all("th")]


# ---- a page that needs nothing from outside ----


def test_the_policy_allows_only_the_style_and_the_script_that_are_on_the_page(full_page: Element) -> None:
    rules = policy(full_page)
    assert rules["default-src"] == ["'none'"]
    assert rules["style-src"] == [hashed(text) for text in inline(full_page, "style")]
    assert rules["script-src"] == [hashed(text) for text in inline(full_page, "script")]
    assert rules["img-src"] == ["data:"]
    assert rules["base-uri"] == rules["form-action"] == ["'none'"]


def test_nothing_on_the_page_has_a_style_or_a_handler_of_its_own(full_page: Element) -> None:
    for element in full_page.walk():
        assert not any(name == "style" or name.startswith("on") for name in element.attributes), element


def test_no_element_names_an_address_outside_the_page(full_page: Element) -> None:
    for element in full_page.walk():
        for name in ("src", "href", "xlink:href", "action", "srcset", "data", "poster"):
            value = element.attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (element.tag, value)
    for text in [*inline(full_page, "style"), *inline(full_page, "script")]:
        assert "http" not in text
        assert "url(" not in text
        assert "@import" not in text


def test_every_id_stands_once_and_every_link_on_the_page_leads_somewhere(full_page: Element) -> None:
    ids = [element.attributes["id"] for element in full_page.walk() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    assert {link.attributes["href"][1:] for link in full_page.all("a")} <= set(ids)


def test_equal_studies_give_equal_bytes(full: Book) -> None:
    assert full.write().read_bytes() == full.write().read_bytes()


# ---- what it says ----


def test_the_outcome_is_one_plain_sentence(full: Book) -> None:
    assert full.page().all("p", class_="outcome")[0].text == (
        f"The best finalist, {full.trials()[0].architecture.id[:8]}…, one of 2 that share the first rank, reaches "
        "test accuracy 0.8850 ± 0.0071 (2 seeds) with 12,345 parameters; a linear model reaches 0.75."
    )


def test_the_outcome_says_whose_the_floor_is_and_tells_it_of_the_same_figure_alone(make_book: MakeBook) -> None:
    floor = {"floor": {"test_accuracy": 0.75, "test_mrr": 0.5}, "floor_by": "ranking by popularity"}
    book = make_book(benchmark={**json.loads(json.dumps(BENCHMARK.to_data())), **floor})
    best = book.add(record(accuracy=0.9))
    said = book.page().all("p", class_="outcome")[0].text
    assert "on them ranking by popularity reaches test accuracy 0.75 and test MRR 0.5." in said
    book.add(record(accuracy=0.9, test=0.8, figures={"test_mrr": 0.6}), stage="final", choices=best.architecture.choices)
    page = book.page()
    assert page.all("p", class_="outcome")[0].text.endswith("; ranking by popularity reaches 0.75.")
    assert "test accuracy 0.75, test MRR 0.5 (ranking by popularity)" in page.all("header")[0].text


def test_whose_the_floor_of_an_older_study_is_is_not_claimed(make_book: MakeBook) -> None:
    older = json.loads(json.dumps(BENCHMARK.to_data()))
    del older["floor_by"]
    book = make_book(benchmark=older)
    book.add(record(accuracy=0.9))
    assert "on them a simple model reaches test accuracy 0.75." in book.page().all("p", class_="outcome")[0].text


def test_without_finalists_the_outcome_says_that_test_data_are_unread(book: Book) -> None:
    best = book.add(record(accuracy=0.9))
    book.add(record(accuracy=0.8))
    page = book.page()
    assert page.all("p", class_="outcome")[0].text == (
        f"The best of 2 architectures, {best.architecture.id[:8]}…, reaches validation accuracy 0.9000 with 12,345 parameters. "
        "Test data have not been read yet; on them a linear model reaches test accuracy 0.75."
    )
    assert "nas finals demo" in page.by_id("search").text


def test_with_several_objectives_the_outcome_names_them_all(make_book: MakeBook) -> None:
    goals = [{"figure": "validation_accuracy", "direction": "maximize"}, {"figure": "latency_ms", "direction": "minimize"}]
    book = make_book(objectives=goals)
    book.add(record(accuracy=0.9, figures={"latency_ms": 0.5}))
    book.add(record(accuracy=0.8, figures={"latency_ms": 0.3}))
    text = book.page().all("p", class_="outcome")[0].text
    assert text.startswith(
        "Of 2 architectures, weighed by validation accuracy and latency, the front's best by validation accuracy,"
    )
    assert "reaches validation accuracy 0.9000 and 0.500 ms with 12,345 parameters." in text


def test_the_head_names_space_size_benchmark_data_licence_and_floor(full_page: Element) -> None:
    text = full_page.all("header")[0].text
    assert "toy v1: 192 architectures. Two layers." in text
    assert "shapes v2: squares and circles" in text
    assert "drawn by hand" in text
    assert "CC0" in text
    assert "test accuracy 0.75" in text


def test_finalists_come_before_the_search(full_page: Element) -> None:
    sections = [section.attributes["id"] for section in full_page.all("section")]
    assert sections == ["finals", "search", "plots", "curves", "choices", "architectures", "course", "lost", "origin"]


def test_finalists_are_ordered_by_validation_and_show_test_figures_with_their_spread(full_page: Element) -> None:
    table = full_page.by_id("finals").all("table", class_="board")[0]
    columns = headers(table)
    assert columns[:5] == ["rank", "front", "architecture", "validation accuracy", "test accuracy"]
    assert columns[-1] == "seeds"
    found = [dict(zip(columns, row, strict=True)) for row in rows(table)]
    assert [row["validation accuracy"] for row in found] == ["0.9090 ± 0 0.9081–0.9099", "0.9080 ± 0 0.9071–0.9089"]
    assert [row["rank"] for row in found] == ["1=", "1="]
    assert columns[-2] == "first with"
    assert [row["test accuracy"] for row in found] == ["0.8850 ± 0.0071"] * 2
    assert [row["seeds"] for row in found] == ["2", "2"]


def test_how_sure_the_order_is_stands_in_the_outcome(full_page: Element) -> None:
    said = full_page.all("p", class_="outcome more-of-it")[0].text
    assert said.startswith("The first is really the first with a probability of 0.")
    assert "it cannot be told from the second" in said


def test_the_leaderboard_has_readable_units_and_marks_the_front_by_a_sign(full_page: Element) -> None:
    table = full_page.by_id("search").all("table", class_="board")[0]
    columns = headers(table)
    best = dict(zip(columns, rows(table)[0], strict=True))
    assert (best["rank"], best["front"], best["validation accuracy"]) == ("1", "◆", "0.8900")
    assert (best["params"], best["MFLOPs"], best["memory MiB"]) == ("10,000", "1.00", "2.00")
    assert best["latency ms"] == "0.850 0.765–0.935"
    assert best["trial"] == "9"


def test_a_row_opens_to_its_choices_curve_operators_and_notes(full_page: Element) -> None:
    table = full_page.by_id("search").all("table", class_="board")[0]
    body = table.all("tbody")[0]
    assert body.all("details")
    assert body.all("pre", class_="choices")[0].raw == "conv.features: 8\nconv.kernel: 9"
    under = body.all("tr", class_="under")[0].text
    assert "validation accuracy by epoch 1:\u00a00.297, 2:\u00a00.593, 3:\u00a00.89".replace("\u00a0", " ") in under
    assert "operators without a FLOP count add ×2" in under
    assert "note a note" in under
    assert "MMACs 0.70" in under


def test_the_funnel_counts_every_proposal_once(full_page: Element) -> None:
    steps = [step.text for step in full_page.all("ol", class_="funnel")[0].all("li")]
    counts = {text.split()[1]: int(text.split()[0]) for text in steps}
    assert counts == {
        "proposed": 15, "repeated": 1, "infeasible": 1, "pruned": 1, "failed": 1, "running": 1, "complete": 10,
    }  # fmt: skip
    assert sum(counts.values()) == 2 * counts["proposed"]


def test_trials_without_a_score_are_listed_with_their_reasons(full_page: Element) -> None:
    text = full_page.by_id("lost").text
    assert "Failed: 1 out of memory" in text
    assert "on cpu: no room" in text
    assert "Pruned: 1 after 3 epochs" in text
    assert "Infeasible: 1 outside params <= 50000" in text
    assert "params <= 50000, got 60,000" in text


def test_equal_errors_are_told_once_with_their_count(book: Book) -> None:
    for _ in range(300):
        book.add(record("failed", accuracy=None, error=Failure(kind="raised", message="ValueError: no")))
    text = book.page().by_id("lost").text
    assert text.count("ValueError: no") == 1
    assert "300 raised" in text


def test_results_of_an_earlier_study_are_said_to_be_taken_over(make_book: MakeBook) -> None:
    first = make_book("first")
    source = first.add(record(accuracy=0.9))
    second = make_book("second")
    second.add(record(accuracy=0.9), evaluation="search0", reused_from=source.id)
    assert "1 of these results had been found by an earlier study" in second.page().text


def test_definition_machine_versions_and_commit_stand_on_the_page(full_page: Element) -> None:
    text = full_page.by_id("origin").text
    for part in (
        "tpe, seed 7",
        "maximize validation_accuracy",
        "3 epochs",
        "6 epochs",
        "batch size 32",
        "Abacus, 2 cores, 4 GiB",
    ):
        assert part in text
    assert MACHINE.id in text
    assert "0123456789ab" in text
    assert "python 3.11.7, torch 2.10.0" in text
    assert "name: toy" in full_page.by_id("origin").all("pre")[1].raw


def test_a_commit_with_changes_is_told_apart(book: Book) -> None:
    book.add(record(commit="0123456789ab-dirty"))
    book.add(record(commit=None))
    assert "0123456789ab-dirty, none: not run from a checkout (-dirty: with changes" in book.page().by_id("origin").text


# ---- what is missing ----


def test_a_figure_that_was_not_measured_is_a_dash_and_never_0(book: Book) -> None:
    book.add(record(figures={"latency_ms": None, "peak_memory_bytes": None}))
    book.add(record(latency=latency(0.5)))
    table = book.page().by_id("search").all("table", class_="board")[0]
    columns = headers(table)
    found = dict(zip(columns, rows(table)[0], strict=True))
    assert (found["latency ms"], found["memory MiB"]) == ("–", "–")
    assert "0" not in (found["latency ms"], found["memory MiB"])


def test_a_plot_leaves_out_what_was_not_measured(book: Book) -> None:
    book.add(record(figures={"latency_ms": None}))
    book.add(record(figures={"latency_ms": 0.5, "flops": None}))
    figures = data(book.page())["rows"]["figures"]
    assert figures["latency_ms"] == [None, 0.5]
    assert figures["flops"] == [1.4, None]


def test_an_empty_study_has_a_page(book: Book) -> None:
    page = book.page()
    assert page.all("p", class_="outcome")[0].text == "Nothing has been tried yet."
    assert "there is no leaderboard" in page.by_id("search").text
    assert data(page)["rows"]["id"] == []
    assert page.by_id("course").text.startswith("How the search went 0 proposed")


def test_a_study_of_infeasible_trials_says_so(book: Book) -> None:
    for _ in range(3):
        book.add(record("infeasible", accuracy=None, broken_limits=("params <= 50000, got 60,000",)))
    page = book.page()
    assert page.all("p", class_="outcome")[0].text == "No trial is complete yet: of 3 proposals, 3 infeasible."
    assert "3 outside params <= 50000" in page.by_id("lost").text


def test_a_study_without_a_complete_trial_still_shows_curves_of_the_pruned(book: Book) -> None:
    book.add(record("pruned", accuracy=0.5))
    book.add(record("failed", accuracy=None, error=None))
    page = book.page()
    assert data(page)["curves"]["rows"] == {"0": [[[1, 2, 3], [0.1667, 0.3333, 0.5]]]}
    assert "No trial is complete yet: of 2 proposals, 1 pruned, 1 failed." in page.text


def test_objectives_without_a_learning_curve_are_no_obstacle(make_book: MakeBook) -> None:
    book = make_book(objectives=[{"figure": "flops", "direction": "minimize"}])
    book.add(record(accuracy=None))
    book.add(record(accuracy=0.9, figures={"flops": 0}))
    page = book.page()
    assert data(page)["goals"] == [{"figure": "flops", "direction": "minimize"}]
    assert data(page)["curves"]["figure"] == "validation_accuracy"


def test_rows_of_different_machines_stand_in_tables_of_their_own(book: Book) -> None:
    other = replace(MACHINE, processor="Difference Engine")
    book.add(record(accuracy=0.9))
    book.add(record(accuracy=0.8, machine=other))
    book.add(record(accuracy=0.7, budget=Budget(epochs=9)))
    page = book.page()
    tables = page.by_id("search").all("table", class_="board")
    assert [len(rows(table)) for table in tables] == [1, 1, 1]
    headings = " ".join(heading.text for heading in page.by_id("search").all("h3"))
    assert "Abacus" in headings
    assert "Difference Engine" in headings
    assert "9 epochs" in headings
    assert "first of 3 tables that do not compare" in page.all("p", class_="outcome")[0].text


def test_a_space_with_a_range_of_reals_has_no_number_of_architectures(make_book: MakeBook) -> None:
    space = {"name": "s", "version": 1, "accepts": "image", "layers": [{"conv": {"rate": {"real": [0, 1]}}}], "digest": "0"}
    assert "infinitely many architectures" in make_book(space=space).page().text


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (1, "1 architecture"),
        (40_247_015_719_680, "40,247,015,719,680 architectures"),
        (999 * 10**13, "about 1.0 × 10^16 architectures (exactly 9,990,000,000,000,000)"),
        (10**60, "about 1.0 × 10^60 architectures"),
    ],
)
def test_a_size_is_exact_as_far_as_it_can_be_read(count: int, told: str) -> None:
    assert holds(count) == told


def test_a_huge_space_is_told_by_its_magnitude(make_book: MakeBook) -> None:
    layer = {"repeat": "block", "times": 1000, "layers": [{"conv": {"width": {"int": [1, 1_000_000]}}}]}
    space = {"name": "s", "version": 1, "accepts": "image", "layers": [layer], "digest": "0"}
    assert "about 1.0 × 10^6000 architectures" in make_book(space=space).page().text


# ---- what is hostile ----


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, tuple[str, ...]]]:
    with books_in(tmp_path_factory.mktemp("harmless")) as make:
        return shape(hostile_book(make, "demo", "calm").page())


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_a_hostile_text_is_shown_and_does_nothing(
    make_book: MakeBook, number: int, harmless: list[tuple[str, tuple[str, ...]]]
) -> None:
    page = hostile_book(make_book, "demo", HOSTILE[number]).page()
    assert shape(page) == harmless
    assert HOSTILE[number] in {choice["name"] for choice in data(page)["choices"]}
    assert policy(page)["script-src"] == [hashed(text) for text in inline(page, "script")]
    for element in page.walk():
        assert not any(name.startswith("on") for name in element.attributes)


def shape(page: Element) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page and the names of their attributes."""
    return [(element.tag, tuple(element.attributes)) for element in page.walk()]


def test_json_on_the_page_holds_no_markup(make_book: MakeBook) -> None:
    text = hostile_book(make_book, "demo", "</script><!--'&").write().read_text(encoding="utf-8")
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert block
    assert not set("<>&'") & set(block[1])
    json.loads(block[1])


# ---- the way to do it again ----


def options(line: str) -> dict[str, Any]:
    """What click reads out of a command that begins with `nas search`."""
    words = shlex.split(line)
    assert words[:2] == ["nas", "search"]
    context = commands.search.make_context("search", words[2:])
    return {name: value for name, value in context.params.items() if value not in (None, (), False)}


def reproduced(book: Book) -> list[str]:
    return book.page().by_id("origin").all("pre", class_="command")[0].raw.strip().split("\n")


def test_the_command_asks_for_the_study_again(full: Book) -> None:
    search, finals = reproduced(full)
    assert options(search) == {
        "space": "toy.yaml",
        "on": "shapes",
        "strategy": "tpe",
        "trials": 12,
        "seed": 7,
        "limits": ("params <= 50000",),
        "study": "demo",
    }
    assert shlex.split(finals) == ["nas", "finals", "demo", "--top", "2", "--seeds", "2"]


@pytest.mark.parametrize(
    ("seeds", "words"),
    [([3, 3], "--seeds 3 --even"), ([4, 2], "--trainings 6"), ([3], "--seeds 3"), ([2, 2], "--seeds 2")],
)
def test_the_command_shares_seeds_out_as_finals_did(book: Book, seeds: list[int], words: str) -> None:
    for kernel, count in enumerate(seeds):
        for seed in range(count):
            book.add(record(seed=seed), stage="final", choices={"conv.features": 8, "conv.kernel": kernel})
    assert reproduced(book)[1] == f"nas finals demo --top {len(seeds)} {words}"


def test_what_differs_from_the_benchmark_is_in_the_command(make_book: MakeBook) -> None:
    goals = [{"figure": "validation_accuracy", "direction": "maximize"}, {"figure": "latency_ms", "direction": "minimize"}]
    budget = {"epochs": 2, "fraction": 0.25, "seconds": 30.0}
    book = make_book(objectives=goals, budget=budget, pruner="median", limits=["latency_ms <= 0.5", "params < 10"])
    book.add(record(threads=4))
    (line,) = reproduced(book)
    found = options(line)
    assert found["objectives"] == ("validation_accuracy", "latency_ms")
    assert found["limits"] == ("latency_ms <= 0.5", "params < 10")
    assert (found["epochs"], found["fraction"], found["seconds"]) == (2, 0.25, 30.0)
    assert (found["pruner"], found["threads"], found["trials"]) == ("median", 4, 1)


def test_replicates_are_in_the_command(make_book: MakeBook) -> None:
    book = make_book(replicates=3, together="auto")
    book.add(record())
    (line,) = reproduced(book)
    assert (options(line)["replicates"], options(line)["together"]) == (3, "auto")


def test_the_recipe_in_the_command_is_read_as_it_was_given(make_book: MakeBook) -> None:
    recipe = {"patience": None, "flip": True, "optimizer": "lamb", "mixup": 0.2}
    book = make_book(recipe=recipe)
    book.add(record())
    (line,) = reproduced(book)
    assert SearchConfig.make(space="residual_cnn", on="digits", recipe=options(line)["recipe"]).recipe == recipe


def test_a_study_of_many_proposals_asks_for_as_many(book: Book) -> None:
    shared = record("infeasible", accuracy=None, broken_limits=("params <= 50000, got 60,000",))
    for _ in range(501):
        book.add(shared)
    (line,) = reproduced(book)
    assert options(line)["proposals"] == 501


@pytest.mark.parametrize("text", ["a b", "it's", '"; rm -rf ~ #', "$(id)", "`id`", "a\\b", "*"])
def test_the_command_is_quoted_for_a_shell(make_book: MakeBook, text: str) -> None:
    book = make_book(strategy=text)
    (line,) = reproduced(book)
    assert options(line)["strategy"] == text


# ---- size ----


def test_twenty_trials_take_less_than_300_kib(book: Book) -> None:
    for n in range(20):
        book.add(record(accuracy=0.5 + n / 50, curve=curve(0.5 + n / 50, 100), latency=latency(0.5)), choices=many_choices(n))
    assert book.write().stat().st_size < 300 * 1024


def test_a_thousand_trials_take_at_most_600_kib(make_book: MakeBook, tmp_path: Path) -> None:
    from nas.records import Trial
    from nas.reports.page import render
    from nas.space import Architecture

    entry = make_book().entry
    trials = [
        Trial(
            id=n + 1,
            study="demo",
            stage="search",
            number=n,
            state="complete",
            architecture=Architecture("toy", 1, many_choices(n)),
            evaluation=f"{n:016x}",
            reused_from=None,
            begun_at="",
            ended_at="2026-01-01T00:00:00.000+00:00",
            proposal={},
            record=record(
                accuracy=0.123 + n / 1_900,
                curve=curve(0.123 + n / 1_900, 60),
                latency=latency(0.5 + n / 1_000),
                figures={"flops": 123_456 + 1_009 * (n * 619 % 1_000), "validation_loss": 0.5},
                uncounted={"adaptive_avg_pool2d": 1, "hardswish_": 4, "mul": 12},
            ),
        )
        for n in range(1_000)
    ]
    text = render(entry, trials)
    assert len(text.encode()) < 600 * 1024
    page = parse(text)
    assert len(data(page)["rows"]["id"]) == 1_000
    assert len(rows(page.by_id("search").all("table", class_="board")[0])) == 100
    assert "900 further rows need JavaScript" in page.by_id("search").text


def many_choices(n: int) -> dict[str, Any]:
    """As many answers as a convolutional network has."""
    return {f"stage.{stage}.block.{block}.kernel": 3 + 2 * n for stage in range(3) for block in range(6)} | {
        "head.pool": "average"
    }


# ---- writing it ----


def test_the_page_takes_the_place_of_an_older_one_and_leaves_nothing_beside_it(full: Book) -> None:
    out = full.folder / "out"
    out.mkdir()
    (out / "page.html").write_text("older")
    assert write_report(full.ledger, "demo", out / "page.html") == out / "page.html"
    assert [path.name for path in out.iterdir()] == ["page.html"]
    assert (out / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_missing_folder_is_refused_and_not_made(full: Book) -> None:
    with pytest.raises(ReportError, match=r"The folder .*missing of the report does not exist; make it first\.$"):
        write_report(full.ledger, "demo", full.folder / "missing" / "page.html")
    assert not (full.folder / "missing").exists()


def test_a_folder_is_refused_as_the_file(full: Book) -> None:
    with pytest.raises(ReportError, match=r"is a folder; name a file in it\.$"):
        write_report(full.ledger, "demo", full.folder)


def test_a_file_that_cannot_be_written_is_one_line(full: Book) -> None:
    with pytest.raises(ReportError, match=r"cannot be written: File name too long\.$"):
        write_report(full.ledger, "demo", full.folder / ("x" * 300))


def test_an_unknown_study_is_refused(full: Book) -> None:
    with pytest.raises(LedgerError, match="Did you mean 'demo'"):
        write_report(full.ledger, "demos", full.folder / "page.html")


def test_the_command_line_writes_it(full: Book) -> None:
    out = full.folder / "cli.html"
    done = CliRunner().invoke(commands.main, ["report", "demo", "--out", str(out), "--ledger", f"sqlite:///{full.ledger.path}"])
    assert (done.exit_code, done.output) == (0, f"Wrote {out}.\n")
    assert out.exists()
