import pytest

from nas.errors import BenchmarkError
from nas.training.pieces import Pieces, learn_pieces


def test_neighbours_that_stand_together_most_often_become_pieces_first() -> None:
    learned = learn_pieces(["low low lower", "slow"], "lowersn ", 4)
    assert learned.merges == (("l", "o"), ("lo", "w"), (" ", "low"))
    assert learned.split("low slower lone") == ["low", " ", "s", "low", "e", "r", " ", "lo", "n", "e"]


def test_a_piece_never_goes_over_a_space_and_texts_come_back_whole() -> None:
    texts = ["red heart", "red  book", " a", "heart red "]
    learned = learn_pieces(texts * 2, "redhatbok ", 99)
    assert not any(" " in piece[1:] for piece in learned.all if piece.strip())
    assert all("".join(learned.split(text)) == text for text in [*texts, "xyz öre", ""])


def test_what_stands_once_is_not_joined_and_other_characters_stay_alone() -> None:
    assert learn_pieces(["abc", "d"], "abcd", 5).merges == ()
    learned = learn_pieces(["xax", "xax"], "a", 5)
    assert learned.merges == ()
    assert learned.split("xax") == ["x", "a", "x"]


def test_runs_of_one_character_are_joined_from_the_left() -> None:
    learned = learn_pieces(["aaaa", "aaaa"], "a", 1)
    assert learned.merges == (("a", "a"),)
    assert learned.split("aaaaa") == ["aa", "aa", "a"]


def test_a_doubled_character_or_piece_is_refused() -> None:
    with pytest.raises(BenchmarkError, match=r"^An alphabet has each of its characters once, got 'aa'\.$"):
        Pieces("aa")
    with pytest.raises(BenchmarkError, match="two merges give the same one"):
        Pieces("ab", (("a", "b"), ("a", "b")))
