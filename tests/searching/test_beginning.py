"""A search that begins with architectures that are known to be good."""

import json
import random
import shlex
from pathlib import Path
from typing import Any

import pytest
from toys import TOY, toy_accuracy, toy_evaluate

import nas
from nas.errors import NasError
from nas.records import Ledger, Trial
from nas.reports.command import commands
from nas.searching import SearchConfig
from nas.space import Architecture, architectures, neighbours

ONE = TOY.architecture({"width": 16, "stem.kernel": 5, "block.times": 0})
OTHER = TOY.architecture({"width": 8, "stem.kernel": 3, "block.times": 1, "block.0.kind": "conv"})


def searched(folder: Path, **options: Any) -> list[Trial]:
    """The trials of a search, in the order of their proposals."""
    url = f"sqlite:///{folder}/nas.sqlite"
    nas.search(TOY, on="digits", evaluate=toy_evaluate, study="toy", ledger=url, **{"trials": 8, **options})
    with Ledger(url) as book:
        return sorted(book.trials(book.study("toy"), "search"), key=lambda trial: trial.number)


def made(**options: Any) -> SearchConfig:
    return SearchConfig.make(**{"space": TOY, "on": "digits", **options})


@pytest.mark.parametrize("strategy", ["auto", "random", "tpe", "regularized_evolution", "local_search", "nni:tpe"])
def test_they_are_the_first_that_are_evaluated_whoever_chooses(tmp_path: Path, strategy: str) -> None:
    trials = searched(tmp_path, strategy=strategy, begin_with=[ONE, dict(OTHER.choices)])
    assert [trial.architecture for trial in trials[:2]] == [ONE, OTHER]
    assert len({trial.architecture.id for trial in trials}) >= 8
    assert [trial.state for trial in trials[:2]] == ["complete", "complete"]


def test_local_search_goes_on_from_the_one_it_began_with(tmp_path: Path) -> None:
    best = max((one for one in architectures(TOY) if one.choices["block.times"] == 2), key=toy_accuracy)
    first, second, *_ = searched(tmp_path, strategy="local_search", begin_with=best)
    assert first.architecture == best
    assert second.architecture in neighbours(TOY, best, random.Random(0))  # without a block that newly applies none is drawn


def test_a_search_that_is_stopped_after_the_first_goes_on_with_the_second(tmp_path: Path) -> None:
    def stops(architecture: Architecture, **asked: Any) -> Any:
        if architecture == OTHER:
            raise KeyboardInterrupt
        return toy_evaluate(architecture, **asked)

    url = f"sqlite:///{tmp_path}/nas.sqlite"
    options: dict[str, Any] = {"on": "digits", "study": "toy", "ledger": url, "trials": 5, "begin_with": [ONE, OTHER]}
    with pytest.raises(KeyboardInterrupt):
        nas.search(TOY, evaluate=stops, **options)
    broken = searched(tmp_path, begin_with=[ONE, OTHER], trials=5)
    (tmp_path / "whole").mkdir()
    whole = searched(tmp_path / "whole", begin_with=[ONE, OTHER], trials=5)
    assert [trial.architecture for trial in broken] == [trial.architecture for trial in whole]


def test_they_are_named_by_choices_by_a_file_or_as_a_trial_and_each_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(ONE.to_data()))
    searched(tmp_path, begin_with=OTHER, trials=2)
    named = [str(file), json.dumps(dict(ONE.choices)), "toy:0"]
    assert made(begin_with=named, ledger=f"sqlite:///{tmp_path}/nas.sqlite").begin_with == (ONE, OTHER)


def test_a_search_file_names_a_file_that_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(dict(ONE.choices)))
    (tmp_path / "search.yaml").write_text(f"begin_with: [one.json, '{json.dumps(dict(OTHER.choices))}']")
    assert made(**SearchConfig.options_of(tmp_path / "search.yaml")).begin_with == (ONE, OTHER)


def test_the_study_and_its_command_say_so(tmp_path: Path) -> None:
    searched(tmp_path, begin_with=[ONE, OTHER], trials=4)
    with Ledger(f"sqlite:///{tmp_path}/nas.sqlite") as book:
        entry = book.study("toy")
        words = shlex.split(commands(entry, book.trials(entry))[0])
    named = [words[at + 1] for at, word in enumerate(words) if word == "--begin-with"]
    assert made(begin_with=named).begin_with == (ONE, OTHER)
    assert made(begin_with=named).study_name != made().study_name
    assert "begin_with" not in made().definition()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"begin_with": [ONE, OTHER], "trials": 1},
            "begins with 1 architectures at the most, one a trial, got 2; give more trials",
        ),
        ({"begin_with": {"width": 9}}, "width must be in"),
        ({"begin_with": "no.json"}, "An architecture is choices as JSON"),
        ({"begin_with": 3}, "begin_with: must be a list of architectures, got 3"),
        ({"begin_with": [3]}, "begin_with: must be architectures: their choices, or what names them, got"),
        ({"begin_with": ONE, "space": "nowhere"}, "nowhere"),
    ],
)
def test_what_is_no_architecture_is_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NasError, match=message) as caught:
        made(**options)
    assert "\n" not in str(caught.value)
