"""axe-core over the page, where there is one: NAS_AXE is the path of its axe.min.js (`npm pack axe-core`)."""

import os
from pathlib import Path
from typing import Any

import pytest
from chromium import Browser

AXE = Path(os.environ.get("NAS_AXE", "node_modules/axe-core/axe.min.js"))

OPEN = """
for (const details of document.querySelectorAll('details')) details.open = true;
document.querySelector('#board .opens').click();
document.querySelector('#board td.pick input').click();
document.querySelector('#parallel .value').dispatchEvent(new MouseEvent('click', { bubbles: true }));
document.querySelector('#sofar .canvas').focus();
"""

RUN = "axe.run(document, { resultTypes: ['violations'] }).then((found) => JSON.parse(JSON.stringify(found.violations)))"


@pytest.mark.skipif(not AXE.is_file(), reason="there is no axe-core: set NAS_AXE to the path of its axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_has_nothing_to_say(browser: Browser, full_path: Path, width: int, scheme: str) -> None:
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    try:
        browser.open(full_path, width=width)
        browser.run(OPEN)
        browser.settle()
        browser.run(f"{AXE.read_text(encoding='utf-8')};0")
        violations: list[dict[str, Any]] = browser.run(RUN)
        told = [(one["id"], one["impact"], [node["html"][:150] for node in one["nodes"][:4]]) for one in violations]
        assert told == []
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])
