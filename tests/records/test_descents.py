"""How a trial that was made of others is called."""

from pathlib import Path

from nas.records import Descent, Parent


def parent(letter: str, words: str = "") -> Parent:
    return Parent(evaluation=letter, choices={}, seed=1, weights=Path(letter), architecture=letter * 4, words=words)


def test_a_child_is_called_by_all_steps_and_by_who_taught_it() -> None:
    def called(*parents: Parent, options: str = "") -> str:
        return Descent(method="distil", options={}, parents=parents).words(options)

    assert called(parent("a")) == "distil"
    assert called(parent("a", "structured share 0.6"), options="weight 0.5") == "structured share 0.6 → distil weight 0.5"
    assert called(parent("a"), parent("b"), options="weight 0.5") == "distil weight 0.5, teacher bbbb"
    assert called(parent("a"), parent("b"), parent("c", "qat")) == "distil teacher bbbb, teacher cccc qat"


def test_what_travels_comes_back_as_it_was() -> None:
    told = Descent(method="distil", options={"weight": 0.5}, parents=(parent("a", "qat"), parent("b")))
    again = Descent.from_data(told.to_data())
    assert (again.words(""), again.key) == (told.words(""), told.key)
