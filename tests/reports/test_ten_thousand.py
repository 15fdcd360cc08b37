"""The page of 10,000 trials: small enough to send, and quick enough to sort."""

import random
from pathlib import Path

import pytest
from books import MakeBook, curve, latency, record
from chromium import Browser

from nas.records import Trial
from nas.reports.page import render
from nas.space import Architecture

CLICK = """(() => {
  const button = Array.from(document.querySelectorAll('#board th button')).find((one) => one.textContent === '%s');
  button.click();
  document.body.offsetHeight;
})()"""


def busy_seconds(browser: Browser) -> float:
    """Of the page, by the processor's clock: what else the machine does is not the page's."""
    metrics = browser.call("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


@pytest.mark.slow
def test_ten_thousand_trials_take_at_most_3_mib_and_sort_within_a_second(
    browser: Browser, make_book: MakeBook, tmp_path: Path
) -> None:
    rng = random.Random(0)
    trials = [
        Trial(
            id=n + 1,
            study="demo",
            stage="search",
            number=n,
            state="complete",
            architecture=Architecture(
                "toy", 1, {f"stage.{k // 6}.block.{k % 6}.kernel": rng.choice([3, 5, 7]) for k in range(30)}
            ),
            evaluation=f"{n:016x}",
            reused_from=None,
            begun_at="2026-01-01T00:00:00.000+00:00",
            ended_at="2026-01-01T00:00:01.000+00:00",
            proposal={},
            record=record(
                accuracy=(accuracy := rng.random()),
                curve=curve(accuracy, 12),
                latency=latency(0.5 + rng.random()),
                figures={"flops": rng.randrange(10**5, 10**8), "params": rng.randrange(10**6), "validation_loss": 1 - accuracy},
            ),
        )
        for n in range(10_000)
    ]
    page = tmp_path / "page.html"
    page.write_text(render(make_book().entry, trials), encoding="utf-8")
    assert page.stat().st_size <= 3 * 2**20
    browser.call("Performance.enable", timeDomain="threadTicks")
    browser.open(page)
    for column in ("params", "validation accuracy", "architecture", "rank"):
        before = busy_seconds(browser)
        browser.run(CLICK % column)
        assert 0 < busy_seconds(browser) - before < 1
    assert browser.complaints() == []
