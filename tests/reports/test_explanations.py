"""The page of explanations: whatever is in a text is shown and never obeyed, and every kind of example has its place."""

import json
from dataclasses import asdict

import pytest
from hostile import HOSTILE
from pydantic import TypeAdapter
from trees import parse

from nas.reports.explanations import Check, Depth, Example, Explanation, Interval, Part, View, render_explanations

NONE = Interval(mean=0.0, low=-0.1, high=0.1)


def explanation(views: list[View], name: str = "x", error: float | None = None) -> Explanation:
    examples = [
        Example(
            number=n, wanted=name, answer=f"{name}!", share=0.5, output=-2.0, baseline=1.0, total=-3.0, error=error, view=view
        )
        for n, view in enumerate(views)
    ]
    check = Check(
        verdict="depends on the weights",
        correlation=NONE,
        structure=None,
        depths=(Depth(layers=1, of=2, correlation=NONE), Depth(layers=2, of=2, correlation=NONE)),
        each=(-0.25,) * len(views),
    )
    return Explanation(
        study=name,
        architecture="0" * 16,
        seed=1,
        evaluation="e",
        benchmark=f"{name} v1",
        split="validation",
        method="integrated-gradients",
        tells="how much a place adds",
        check=check,
        examples=tuple(examples),
    )


def part(text: str, value: float, level: int) -> Part:
    return Part(text=text, value=value, level=level, low=-0.5, high=0.5)


def test_every_kind_of_example_is_shown() -> None:
    parts = (part("bad", 1.5, 4), part("film", -0.75, -2), part("the", 0, 0))
    views = [View(kind=kind, told="most: bad", parts=parts) for kind in ("text", "sound", "numbers")]  # type: ignore[arg-type]
    views.append(View(kind="picture", told="most: top left 90 %", given="AAAA", over="BBBB"))
    page = parse(render_explanations([explanation(views, error=0.004)], "Why", "nas explain s"))
    spans = [one for one in page.all("span") if one.attributes.get("class") == "for4"]
    assert [one.text.strip() for one in spans] == ["bad"] * 4  # at its word, and in three tables
    rects = [one.attributes["class"] for one in page.all("rect")]
    assert rects == ["for4", "against2", "none"]
    assert [one.attributes["alt"] for one in page.all("img")][1] == "What example 3 rests on; most: top left 90 %"
    assert "completeness error 0.004. Rank correlation with weights drawn anew −0.25." in page.text
    assert "the last 1 of 2" in page.text
    assert "all 2" in page.text
    assert not page.all("script")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_and_never_obeyed(text: str) -> None:
    views = [View(kind=kind, told=text or "x", parts=(part(text, 1, 4),)) for kind in ("text", "sound", "numbers")]  # type: ignore[arg-type]
    harmless = [View(kind=one.kind, told="x", parts=(part("x", 1, 4),)) for one in views]
    plain = parse(render_explanations([explanation(harmless)], "x", "x"))
    page = parse(render_explanations([explanation(views, text)], text, text))
    assert [one.tag for one in page.walk()] == [one.tag for one in plain.walk()]


def test_it_comes_back_as_it_was_written() -> None:
    written = explanation([View(kind="text", told="x", parts=(part("bad", 1.5, 4),))])
    assert TypeAdapter(Explanation).validate_json(json.dumps(asdict(written))) == written
