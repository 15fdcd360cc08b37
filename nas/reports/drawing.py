"""An architecture as a block diagram: what its layers are, laid out in boxes, from its choices alone; nothing is built for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nas.errors import NasError
from nas.space import Architecture, CellSpec, LayerSpec, ParallelSpec, Space, Spec, Value

WIDTH, HEAD, LINE, GAP, PAD = 190, 24, 14, 12, 8
"""Of a box, its first line, a further line, the way to the next box, and what is left free around an inner box; in pixels."""

BEHIND = 3
"""How far the shadow of a box that stands here several times lies from it."""

LETTERS = 30
"""That a line of a box has room for."""

MOST = 400
"""Boxes of one drawing; a larger network is not drawn."""

OF_TRAINING = frozenset(
    {
        *("adversary", "corruption", "discriminator", "fine_tuning", "modality_dropout", "own_losses", "shared_space"),
        *("binary_loss", "margin_loss", "relation_loss", "self_adversarial_loss", "softmax_loss", "triple_penalty"),
    }
)
"""Layers of ours that say how a network is trained, and are no part of it; those of plugins are drawn among the others."""

TRAINED = "how it is trained"
"""What stands over them."""

PASSES = "passes on"
"""What an empty branch or edge does."""


@dataclass(frozen=True)
class Box:
    """A rectangle with text, or around other boxes."""

    title: str
    lines: tuple[str, ...] = ()
    rows: "tuple[tuple[Box, ...], ...]" = ()
    """Columns side by side, each of boxes one below the other."""
    times: int = 1
    """How often it stands here, one after another."""

    @property
    def width(self) -> int:
        """In pixels."""
        if not self.rows:
            return WIDTH
        return sum(max((box.width for box in column), default=WIDTH // 2) + PAD for column in self.rows) + PAD

    @property
    def height(self) -> int:
        """In pixels."""
        inside = max((_stack(column) for column in self.rows), default=0)
        return HEAD + LINE * len(self.lines) + (inside + 2 * PAD if self.rows else 0) + (6 if self.lines else 0)


def _stack(column: Sequence[Box]) -> int:
    return sum(box.height + GAP for box in column) - GAP if column else HEAD


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Rectangles, texts and lines in their places."""

    width: int
    height: int
    told: str
    """The layers in words, for who cannot see them."""
    rects: tuple[tuple[str, int, int, int, int], ...]
    """Class, x, y, width, height."""
    texts: tuple[tuple[str, int, int, str], ...]
    """Class, x, y, text."""
    lines: tuple[tuple[int, int, int, int], ...]


def drawing(space: Space, architecture: Architecture) -> Drawing | None:
    """The layers of `architecture` from its input to its output; None where it is none of `space`, or too large to be drawn."""
    try:
        specs = space.blueprint(architecture)
        boxes = _boxes([spec for spec in specs if not _trains(spec)])
        beside = _boxes([spec for spec in specs if _trains(spec)])
    except (NasError, AttributeError):
        return None
    if not boxes or _count(boxes) > MOST:
        return None
    training = [Box(TRAINED, rows=(beside,))] if beside else []
    pen = _Pen()
    width = max(box.width for box in [*boxes, *training])
    bottom = pen.column((Box("input"), *boxes, Box("output")), 1, 1, width)
    if training:
        bottom = pen.column(training, 1, bottom + 2 * GAP, width)
    told = "input, " + ", ".join(_told(boxes)) + ", output" + (f"; {TRAINED}: {', '.join(_told(beside))}" if beside else "")
    return Drawing(
        width=width + BEHIND + 2,
        height=bottom + 2,
        told=told,
        rects=tuple(pen.rects),
        texts=tuple(pen.texts),
        lines=tuple(pen.lines),
    )


def _trains(spec: Spec) -> bool:
    return isinstance(spec, LayerSpec) and spec.kind in OF_TRAINING


def _boxes(specs: Sequence[Spec]) -> tuple[Box, ...]:
    """A box each; equal ones in a row are one, with their number."""
    found: list[Box] = []
    for spec in specs:
        box = _box(spec)
        if found and replace(found[-1], times=1) == box:
            found[-1] = replace(box, times=found[-1].times + 1)
        else:
            found.append(box)
    return tuple(found)


def _box(spec: Spec) -> Box:
    if isinstance(spec, LayerSpec):
        return Box(spec.kind.replace("_", " "), tuple(_lines(spec.options)))
    if isinstance(spec, ParallelSpec):
        return Box(f"branches, merged by {spec.merge}", rows=tuple(_boxes(branch) for branch in spec.branches.values()))
    return Box(f"cell of {spec.nodes} nodes", tuple(_edges(spec)))


def _edges(spec: CellSpec) -> Iterator[str]:
    for (start, end), inside in spec.edges.items():
        yield _cut(f"{start} → {end}  {', '.join(_words(part) for part in inside) or PASSES}")


def _words(spec: Spec) -> str:
    return " ".join([spec.kind, *_lines(spec.options)]) if isinstance(spec, LayerSpec) else _box(spec).title


def _lines(options: Mapping[str, Value]) -> Iterator[str]:
    """`features 16, kernel 3`, as many to a line as there is room for."""
    line = ""
    for name, value in options.items():
        words = f"{name.replace('_', ' ')} {_plain(value)}"
        if line and len(line) + len(words) + 2 > LETTERS:
            yield _cut(line)
            line = words
        else:
            line = f"{line}, {words}" if line else words
    if line:
        yield _cut(line)


def _plain(value: Any) -> str:
    return {None: "none", True: "yes", False: "no"}[value] if value is None or isinstance(value, bool) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def _count(boxes: Sequence[Box]) -> int:
    return sum(1 + sum(_count(column) for column in box.rows) for box in boxes)


def _told(boxes: Sequence[Box]) -> Iterator[str]:
    for box in boxes:
        inside = " beside ".join(" then ".join(_told(column)) or PASSES for column in box.rows)
        words = [box.title, *box.lines, *([f"({inside})"] if inside else [])]
        yield " ".join(words) + (f", {box.times} times" if box.times > 1 else "")


class _Pen:
    """Puts boxes in their places."""

    def __init__(self) -> None:
        self.rects: list[tuple[str, int, int, int, int]] = []
        self.texts: list[tuple[str, int, int, str]] = []
        self.lines: list[tuple[int, int, int, int]] = []

    def column(self, boxes: Sequence[Box], left: int, top: int, width: int) -> int:
        """One box below the other in the middle of `width`; returns where the last ends."""
        middle = left + width // 2
        for n, box in enumerate(boxes):
            if n:
                self.lines.append((middle, top, middle, top + GAP))
                top += GAP
            self.box(box, middle - box.width // 2, top)
            top += box.height
        return top

    def box(self, box: Box, left: int, top: int) -> None:
        kind = "end" if box.title in {"input", "output"} and not box.lines else "around" if box.rows else "layer"
        if box.times > 1:
            self.rects.append((f"{kind} behind", left + BEHIND, top + BEHIND, box.width, box.height))
        self.rects.append((kind, left, top, box.width, box.height))
        title = _cut(box.title) + (f"  ×{box.times}" if box.times > 1 else "")
        self.texts.append(("end" if kind == "end" else "name", left + box.width // 2, top + 16, title))
        for n, line in enumerate(box.lines):
            self.texts.append(("option", left + box.width // 2, top + HEAD + 8 + LINE * n, line))
        x, y = left + PAD, top + HEAD + PAD
        inside = max((_stack(column) for column in box.rows), default=0)
        for column in box.rows:
            width = max((one.width for one in column), default=WIDTH // 2)
            if column:
                self.column(column, x, y + (inside - _stack(column)) // 2, width)
            else:
                self.lines.append((x + width // 2, y, x + width // 2, y + inside))
                self.texts.append(("option", x + width // 2 + 4, y + inside // 2, PASSES))
            x += width + PAD
