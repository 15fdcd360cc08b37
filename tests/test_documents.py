import errno
import os
from pathlib import Path

import pytest

from nas import documents
from nas.documents import Document, dotted, read_file, read_text
from nas.errors import DocumentError

TEXT = """\
# a comment counts as a line
name: toy
layers:
  - conv: {kernel: 3,
           width: [16, 32]}
  - pool:

      size: 2
again: &again {deep: 1}
alias: *again
"""


def told(text):
    with pytest.raises(DocumentError) as caught:
        read_text(text, "toy.yaml")
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_document_becomes_plain_values():
    assert read_text(TEXT, "toy.yaml").value == {
        "name": "toy",
        "layers": [{"conv": {"kernel": 3, "width": [16, 32]}}, {"pool": {"size": 2}}],
        "again": {"deep": 1},
        "alias": {"deep": 1},
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 2),
        (("name",), 2),
        (("layers",), 3),
        (("layers", 0), 4),
        (("layers", 0, "conv"), 4),
        (("layers", 0, "conv", "kernel"), 4),
        (("layers", 0, "conv", "width"), 5),
        (("layers", 0, "conv", "width", 1), 5),
        (("layers", 1, "pool"), 6),
        (("layers", 1, "pool", "size"), 8),
        (("alias",), 10),
        (("alias", "deep"), 9),
    ],
)
def test_every_value_knows_its_line(path, line):
    document = read_text(TEXT, "toy.yaml")
    assert document.lines[path] == line
    assert str(document.error(path, "is odd.")).startswith(f"toy.yaml:{line}: ")


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(tmp_path, line_end):
    path = tmp_path / "toy.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", line_end).encode())
    document = read_file(path)
    assert (document.value, document.lines) == (read_text(TEXT, "").value, read_text(TEXT, "").lines)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ((), "toy.yaml:2: is odd."),
        (("layers", 1, "pool", "size"), "toy.yaml:8: layers[1].pool.size: is odd."),
        (("layers", 1, "pool", "stride"), "toy.yaml:6: layers[1].pool.stride: is odd."),
        (("layers", 7), "toy.yaml:3: layers[7]: is odd."),
        (("limits",), "toy.yaml:2: limits: is odd."),
    ],
)
def test_a_complaint_names_the_line_of_the_nearest_place_that_stands_in_the_file(path, message):
    assert str(read_text(TEXT, "toy.yaml").error(path, "is odd.")) == message


def test_a_complaint_about_data_from_python_names_no_line():
    document = Document("<data>", {"a": 1}, {})
    assert str(document.error((), "is odd.")) == "<data>: is odd."
    assert str(document.error(("a", 0), "is odd.")) == "<data>: a[0]: is odd."


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("a", 0, 1, "b"), "a[0][1].b"),
        ((0, "a"), "[0].a"),
        (("größe", "two words"), "größe.two words"),
        (("a", "two\nlines"), "a.'two\\nlines'"),
        (("\x1b[31m",), "'\\x1b[31m'"),
        (("a" * 150, "b" * 150), "a" * 150 + "." + "b" * 46 + "..."),
    ],
)
def test_a_path_is_written_with_dots_on_one_line(path, text):
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("2001-01-01", "2001-01-01"),
        ("<<", "<<"),
        ("=", "="),
        ("1:30", "1:30"),
        ("0o17", 15),
        ("1e3", 1000.0),
        ("~", None),
        ("True", True),
        ("!!str 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5.0),
        ("9" * 400, int("9" * 400)),
    ],
)
def test_a_plain_value_is_read_as_yaml_1_2_says(text, value):
    read = read_text(f"a: {text}", "toy.yaml").value["a"]
    assert (type(read), read) == (type(value), value)


def test_an_anchor_may_be_set_anew():
    assert read_text("[&a 1, *a, &a 2, *a]", "toy.yaml").value == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "toy.yaml: the document is empty."),
        ("# only a comment\n", "toy.yaml: the document is empty."),
        ("a: 1\n1: 2", "toy.yaml:2: a key must be text, got '1'; put it in quotes."),
        ("a: 1\nnull: 2", "toy.yaml:2: a key must be text, got 'null'; put it in quotes."),
        ("a: 1\ntrue: 2", "toy.yaml:2: a key must be text, got 'true'; put it in quotes."),
        ("a: 1\n? [b]\n: 2", "toy.yaml:2: a key must be text, got 'a collection'; put it in quotes."),
        ("a: 1\nb: 2\na: 3", "toy.yaml:3: the key 'a' stands twice; keep one of them."),
        ("a:\n  !mine b", "toy.yaml:2: the tag '!mine' is not read; only plain values are."),
        ("a:\n  !!set {b}", "toy.yaml:2: the tag 'tag:yaml.org,2002:set' is not read; only plain values are."),
        ("a:\n  !mine [b]", "toy.yaml:2: the tag '!mine' is not read; only plain values are."),
        ("a:\n  !!binary b", "toy.yaml:2: the tag 'tag:yaml.org,2002:binary' is not read; only plain values are."),
        ("a: 1\n!mine b: 2", "toy.yaml:2: the tag '!mine' is not read; only plain values are."),
        ("a: 1\nb: !!int x", "toy.yaml:2: 'x' is no int."),
        ("a: 1\nb: !!int ''", "toy.yaml:2: '' is no int."),
        ("a: 1\nb: !!float x", "toy.yaml:2: 'x' is no float."),
        ("a: 1\nb: !!bool x", "toy.yaml:2: 'x' is no bool."),
        ("a: 1\nb: " + "9" * 401, f"toy.yaml:2: the number '{'9' * 76}... is too long."),
        (
            "a: 1\nb: [",
            "toy.yaml:2: not valid YAML: while parsing a flow node, expected the node content, but found '<stream end>'.",
        ),
        ("a: 1\nb: *c", "toy.yaml:2: not valid YAML: found undefined alias 'c'."),
        (
            "a: 1\n\tb: 2",
            "toy.yaml:2: not valid YAML: while scanning for the next token, found character '\\t' that cannot start any token.",
        ),
        (
            "a: 1\n---\nb: 2",
            "toy.yaml:2: not valid YAML: expected a single document in the stream, but found another document.",
        ),
        (
            "a: \0",
            "toy.yaml: not valid YAML: unacceptable character #x0000: special characters are not allowed "
            'in "<unicode string>", position 3.',
        ),
        ('a: "\\UFFFFFFFF"', "toy.yaml: not valid YAML: Python int too large to convert to C int."),
        ("&a [*a]", "toy.yaml: has more than 10,000 nodes once its aliases are filled in."),
        ("a:\n  " + "[" * 41, "toy.yaml:2: nested deeper than 40 levels."),
    ],
)
def test_what_is_no_plain_document_is_refused_in_one_line(text, message):
    assert told(text) == message


def test_a_document_of_40_levels_is_read():
    assert read_text("[" * 40 + "]" * 40, "toy.yaml").value


def test_a_document_of_too_many_nodes_is_refused(monkeypatch):
    monkeypatch.setattr(documents, "MAX_NODES", 100)
    assert told("[" + "1, " * 200 + "]") == "toy.yaml: has more than 100 nodes."


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    assert told("\n".join(lines)) == "toy.yaml: has more than 10,000 nodes once its aliases are filled in."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, f"cannot be read: {os.strerror(errno.ENOENT)}."),
        (b"a: \xff", "is not UTF-8 text (byte 3)."),
        ("a: 1".encode("utf-16"), "is not UTF-8 text (byte 0)."),
        (b" " * 1_000_001, "a document has at most 200,000 bytes, this one has more."),
        (b"", "the document is empty."),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path, content, message):
    path = tmp_path / "toy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DocumentError) as caught:
        read_file(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="a device that never ends is looked for")
def test_a_file_without_an_end_is_refused():
    with pytest.raises(DocumentError, match="a document has at most 200,000 bytes"):
        read_file(Path("/dev/zero"))


def test_a_folder_is_no_document(tmp_path):
    with pytest.raises(DocumentError) as caught:
        read_file(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: cannot be read: ")
