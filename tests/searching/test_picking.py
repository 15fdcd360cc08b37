import json
from pathlib import Path

import pytest
from toys import TOY, toy_evaluate

import nas
from nas.errors import NasError, SearchError
from nas.records import Ledger
from nas.searching import pick_architecture
from nas.space import parse_space

SECOND = {"width": 16, "stem.kernel": 3, "block.times": 0}


def test_without_a_name_it_is_the_first_value_of_every_choice() -> None:
    assert dict(pick_architecture(TOY).choices) == {"width": 8, "stem.kernel": 3, "block.times": 0}


def test_the_first_value_of_a_range_of_reals_is_its_lowest() -> None:
    space = parse_space("{name: r, version: 1, accepts: image, layers: [head: {dropout: {real: [0.1, 0.5]}}]}")
    assert pick_architecture(space).choices["head.dropout"] == 0.1


def test_equal_seeds_draw_equal_architectures() -> None:
    drawn = {pick_architecture(TOY, random_seed=seed).id for seed in (1, 1, 2)}
    assert len(drawn) == 2


@pytest.mark.parametrize("data", [SECOND, TOY.architecture(SECOND).to_data()])
def test_choices_are_read_from_the_line_and_from_a_file(data: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "architecture.json"
    file.write_text(json.dumps(data))
    for named in (json.dumps(data), str(file)):
        assert pick_architecture(TOY, named) == TOY.architecture(SECOND)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('picking')}/nas.sqlite"
    nas.search(TOY, on="digits", evaluate=toy_evaluate, trials=4, study="toy", ledger=url)
    return url


def test_a_trial_of_a_study_is_meant_by_its_number_or_its_architectures_id(ledger: str) -> None:
    with Ledger(ledger) as book:
        trial = book.trials(book.study("toy"))[2]
    for key in ("2", trial.architecture.id):
        assert pick_architecture(TOY, f"toy:{key}", ledger=ledger) == trial.architecture


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("{width: 8}", "The architecture is not JSON: Expecting property name"),
        ('{"width": 9}', "width must be in"),
        ("nothing.json", "An architecture is choices as JSON ('{\"stem.features\": 16}'), a file of them, or STUDY:NUMBER, got "),
        ("toy:99", "The study 'toy' has no trial 99; it has "),
        ("other:0", "No study in "),
    ],
)
def test_a_name_that_means_no_architecture_is_refused(named: str, message: str, ledger: str) -> None:
    with pytest.raises(NasError) as refused:
        pick_architecture(TOY, named, ledger=ledger)
    assert message in str(refused.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text("[1, 2]")
    with pytest.raises(NasError, match=r"list\.json is a JSON object of choices, got \[1, 2\]"):
        pick_architecture(TOY, str(file))


def test_an_architecture_is_named_or_drawn_but_not_both() -> None:
    with pytest.raises(NasError, match="named or drawn, got 'toy:0' and the random seed 1; leave one out"):
        pick_architecture(TOY, "toy:0", random_seed=1)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a device that never ends is looked for")
def test_a_file_without_an_end_and_json_without_bottom_are_refused() -> None:
    with pytest.raises(SearchError, match="/dev/zero is not JSON"):
        pick_architecture(TOY, "/dev/zero")
    with pytest.raises(SearchError, match="The architecture is not JSON"):
        pick_architecture(TOY, '{"a":' * 100_000)
