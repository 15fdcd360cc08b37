"""Two thousand files that are broken on purpose, of which each run tries another half: each is one line, or a space still, in
bounded time.
"""

import random
import re
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from nas.cli import main
from nas.errors import NasError
from nas.models import check_layers
from nas.space import Space, parse_space, size

ROOT = Path(__file__).parents[2]
SOURCES = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("search_spaces/*/space.yaml"))]
GROUPS, FILES = 20, 100
SECONDS = 10.0
"""Of the processor, that a file may take; the worst takes one."""

WRONG = [
    "null",
    "true",
    "-1",
    "0",
    "1e309",
    "-0.0",
    ".nan",
    ".inf",
    "9" * 300,
    "9" * 500,
    "0x" + "f" * 90,
    "1_000",
    "0.1.2",
    "2001-01-01",
    "''",
    '"\\e[31m"',
    '"\\0"',
    '"\\ud800"',
    "名前",
    "é" * 300,
    "a" * 5_000,
    "[]",
    "{}",
    "[[]]",
    "{int: [1, 2]}",
    "{int: [2, 1]}",
    "{int: [1, 9007199254740993]}",
    "{real: [0, 1e308]}",
    "{real: [-1e308, 1e308]}",
    "{int: [1, 3], real: [0, 1]}",
    "{log: true}",
    "$width",
    "$none",
    "$",
    "$$",
    "[$width]",
    "[1, 1.0, true]",
    "[1, 1]",
    "!!python/object:os.system x",
    "!mine 3",
    "*alias",
    "&anchor",
    "&a [*a]",
    "|\n  text",
    "? x",
    "- - -",
    "%YAML 1.1",
    "---\n",
    "...\n",
    "@",
    "`",
    "repeat",
    "one_of",
    "conv",
    "<<: {a: 1}",
    "\t",
    "\x07",
    "\u2028",
    "\ufeff",
    "\u202e",
    "#",
    ":",
    "{",
    "}",
    "]",
    "- ",
    "times: 1000",
]


def swap(lines: list[str], rng: random.Random) -> list[str]:
    """Two words change places."""
    text = "\n".join(lines)
    words = [*re.finditer(r"[\w$.]+", text)]
    first, second = sorted(rng.sample(words, 2), key=lambda word: word.start())
    middle = text[first.end() : second.start()]
    return [*(text[: first.start()] + second[0] + middle + first[0] + text[second.end() :]).split("\n")]


def wrong_word(lines: list[str], rng: random.Random) -> list[str]:
    text = "\n".join(lines)
    word = rng.choice([*re.finditer(r"[\w$.]+|\[[^\]]*\]|\{[^}]*\}", text)])
    return (text[: word.start()] + rng.choice(WRONG) + text[word.end() :]).split("\n")


def delete(lines: list[str], rng: random.Random) -> list[str]:
    start = rng.randrange(len(lines))
    return lines[:start] + lines[start + rng.randint(1, 3) :]


def double(lines: list[str], rng: random.Random) -> list[str]:
    """A line stands twice, which doubles a key or a name."""
    n = rng.randrange(len(lines))
    return [*lines[: n + 1], *lines[n : n + rng.choice([1, 1, 5])], *lines[n + 1 :]]


def indent(lines: list[str], rng: random.Random) -> list[str]:
    n = rng.randrange(len(lines))
    line = lines[n][2:] if rng.random() < 0.5 else rng.choice([" ", "  ", "\t"]) + lines[n]
    return [*lines[:n], line, *lines[n + 1 :]]


def character(lines: list[str], rng: random.Random) -> list[str]:
    text = "\n".join(lines)
    n = rng.randrange(len(text))
    return (text[:n] + rng.choice([*":-[]{}#&*!|>'\"%@`,?$\\\0\x1b\x85 \n", ""]) + text[n + rng.randint(0, 1) :]).split("\n")


def cut(lines: list[str], rng: random.Random) -> list[str]:
    text = "\n".join(lines)
    return text[: rng.randrange(len(text))].split("\n")


def nest(lines: list[str], rng: random.Random) -> list[str]:
    depth = rng.choice([5, 30, 45, 3_000])
    opening, closing = rng.choice([("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")])
    return [*lines, f"extra: {opening * depth}1{closing * depth}"]


def bomb(lines: list[str], rng: random.Random) -> list[str]:
    """Aliases of aliases: a few lines that stand for 10^n values."""
    levels = rng.choice([2, 5, 9, 30])
    more = [f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]" for n in range(1, levels)]
    return ["b0: &b0 [0, 1]", *more, *lines, f"limits: *b{levels - 1}"]


def many(lines: list[str], rng: random.Random) -> list[str]:
    """Repeats in repeats, or very many layers, choices or values."""
    count = rng.choice([10, 300, 5_000])
    kinds = {
        "layers": "layers: [" + "head, " * count + "head]",
        "choices": "choices: {" + ", ".join(f"c{n}: [1, 2]" for n in range(count)) + "}",
        "values": "choices: {many: [" + ", ".join(map(str, range(count))) + "]}",
        "repeats": "layers: " + "[{repeat: r, times: {int: [0, 1000]}, layers: " * 6 + "[head]" + "}]" * 6,
        "deciders": "choices: {"
        + ", ".join(f"c{n}: {{int: [0, 20]}}" for n in range(12))
        + "}\nlayers: ["
        + ", ".join(f"{{repeat: r{n}, times: $c{n % 12}, layers: [{{head: {{dropout: [0, 0.5]}}}}]}}" for n in range(24))
        + "]",
    }
    kind = rng.choice([*kinds])
    keep = [line for line in lines if line.startswith(("name", "version", "accepts"))]
    return [*keep, kinds[kind], *(["layers: [head]"] if kind in {"choices", "values"} else [])]


MUTATIONS = [swap, wrong_word, wrong_word, wrong_word, delete, double, indent, character, cut, nest, bomb, many]


def broken(seed: int) -> str:
    """A built-in space that was changed one to three times."""
    rng = random.Random(seed)
    lines = rng.choice(SOURCES).split("\n")
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if len("\n".join(lines)) > 100:
            lines = rng.choice(MUTATIONS)(lines, rng)
    return "\n".join(lines)


def outcome(text: str) -> Space | str:
    """The space, or what is wrong with it."""
    try:
        space = parse_space(text, "broken.yaml")
        check_layers(space)
        size(space)
    except NasError as error:
        return str(error)
    return space


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_a_broken_file_is_one_line_or_a_space_still(group: int) -> None:
    spaces = 0
    for seed in random.sample(range(group * FILES, (group + 1) * FILES), FILES // 2):  # drawn by the seed of the run
        begun = time.process_time()
        told = outcome(broken(seed))
        assert time.process_time() - begun < SECONDS, seed
        if isinstance(told, str):
            assert told.isprintable(), seed
            assert 0 < len(told) < 1_000, seed
        else:
            told.sample(random.Random(seed))
            spaces += 1
    assert spaces < FILES / 4


@pytest.mark.parametrize("seed", range(0, GROUPS * FILES, 50))
def test_the_command_line_tells_it_in_one_line_with_status_2(seed: int, tmp_path: Path) -> None:
    text = broken(seed)
    (tmp_path / "broken.yaml").write_text(text, encoding="utf-8", errors="replace")
    done = CliRunner().invoke(main, ["spaces", "show", str(tmp_path / "broken.yaml")])
    assert isinstance(done.exception, SystemExit | None)
    if done.exit_code:
        assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.rstrip("\n").isprintable()
        assert done.stdout == ""
    else:
        assert "layers\n" in done.stdout
