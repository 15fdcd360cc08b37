import base64
import hashlib
import re
from pathlib import Path

import pytest
from chromium import Browser
from made_up import write_table
from trees import Element, parse

from nas.comparing import CompareConfig, Findings, compare, telling, write_comparison
from nas.comparing.page import probability, render
from nas.errors import ReportError

SETTLE = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))"


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    folder = tmp_path_factory.mktemp("compared")
    table = write_table(folder / "hill.csv", spread=(-2.0, 2.0))
    given = {"evaluations": 60, "seeds": 6, "limits": ["params >= 200"], "workers": 1}
    return compare(CompareConfig.make(tables=[table], strategies=["local_search"], out=folder / "out", **given))


@pytest.fixture(scope="module")
def path(findings: Findings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_comparison(findings, tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def page(path: Path) -> Element:
    return parse(path.read_text(encoding="utf-8"))


def test_the_policy_allows_only_the_style_that_is_on_the_page(page: Element) -> None:
    (meta,) = [m for m in page.all("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy"]
    (style,) = page.all("style")
    digest = base64.b64encode(hashlib.sha256(style.raw.encode()).digest()).decode()
    assert meta.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert page.all("script") == []


def test_no_element_names_an_address_outside_the_page(page: Element, path: Path) -> None:
    for element in page.walk():
        for name in ("src", "href", "action", "srcset", "data", "poster"):
            value = element.attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (element.tag, value)
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^'\"<>\s&]*", text)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_every_id_stands_once_and_every_link_leads_somewhere(page: Element) -> None:
    ids = [element.attributes["id"] for element in page.walk() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    assert {link.attributes["href"][1:] for link in page.all("a")} <= set(ids)


def test_every_picture_says_where_its_figures_stand(page: Element) -> None:
    pictures = page.all("img")
    assert len(pictures) == 2 + (2 if telling.available() else 0)
    assert all("stand in the" in picture.attributes["alt"] for picture in pictures)


def test_the_figures_of_the_findings_are_on_the_page(page: Element, findings: Findings) -> None:
    for question in findings.standings.questions:
        for row in findings.grid(question):
            for cell in row.values():
                assert cell in page.text
    assert findings.headline in page.text
    assert "nas compare --strategy local_search --table hill.csv --limit 'params >= 200' --evaluations 60 --seeds 6" in page.text


def test_equal_runs_give_equal_bytes(findings: Findings, path: Path) -> None:
    assert render(findings).encode() == path.read_bytes()


def test_no_folder_of_this_machine_is_named(findings: Findings, path: Path) -> None:
    assert str(Path.home()) not in path.read_text()
    assert "/tmp" not in path.read_text()  # noqa: S108 - where the test's tables lie


def test_names_are_shown_as_they_are_written(findings: Findings) -> None:
    hostile = Findings(findings.standings, origin=(("<b>&", "<script>alert(1)</script>"),), command="'\"<i>")
    assert "<script>" not in render(hostile)
    assert "&lt;script&gt;alert(1)" in render(hostile)


def test_without_the_packages_the_page_says_how_to_get_them(findings: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "available", lambda: False)
    text = parse(render(Findings(findings.standings))).text
    assert "pip install 'nas-harness[compare]' brings the tests." in text
    assert "Every pair" not in text


def test_a_page_that_cannot_be_written_is_refused(findings: Findings, tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="does not exist; make it first"):
        write_comparison(findings, tmp_path / "nowhere")


def test_probabilities_read_well() -> None:
    assert [probability(p) for p in (1.0, 0.5, 0.0123, 0.00012, 0.00001)] == ["1", ".5", ".012", ".00012", "<.0001"]


# ---- in a browser ----


def test_the_console_stays_empty_and_nothing_is_fetched(browser: Browser, path: Path) -> None:
    browser.open(path)
    browser.run(SETTLE)
    assert browser.complaints() == []
    assert browser.requests() == [path.as_uri()]
    assert browser.run("Array.from(document.images, (image) => image.complete && image.naturalWidth > 100).every(Boolean)")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_the_page_is_never_wider_than_the_window(browser: Browser, path: Path, width: int) -> None:
    browser.open(path, width=width)
    browser.run("for (const details of document.querySelectorAll('details')) details.open = true")
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_a_long_name_of_a_table_makes_it_no_wider(browser: Browser, tmp_path: Path) -> None:
    table = write_table(tmp_path / f"{'very_' * 7}long.csv")
    found = compare(CompareConfig.make(tables=[table], evaluations=4, seeds=2, workers=1, out=tmp_path / "out"))
    browser.open(write_comparison(found, tmp_path), width=360)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    assert browser.run(
        "Array.from(document.querySelectorAll('h2'), (head) => head.scrollWidth <= head.clientWidth).every(Boolean)"
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_follows_the_readers_scheme(browser: Browser, path: Path, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(path)
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 200) == (scheme == "dark")
    browser.call("Emulation.setEmulatedMedia", features=[])
