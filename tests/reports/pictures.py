"""Pictures of the page of a study for the documentation, at two widths, light and dark.

python tests/reports/pictures.py sqlite:///nas.sqlite digits docs/images
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

from chromium import Browser, browsing
from PIL import Image

from nas.records import Ledger
from nas.reports import write_report

HEIGHTS = {1440: 2900, 360: 2800}
"""Width of the window → how much of the page a picture shows; in pixels."""

COLOURS = 48
"""Of a picture, which so stays small."""

MOST_BYTES = 150 * 1024


def main(url: str, study: str, folder: Path) -> None:
    """Write report-1440-light.png and its likes to `folder`."""
    with tempfile.TemporaryDirectory() as beside, Ledger(url, create=False) as ledger, browsing() as browser:
        page = write_report(ledger, study, Path(beside) / "page.html")
        for width, height in HEIGHTS.items():
            for scheme in ("light", "dark"):
                out = folder / f"report-{width}-{scheme}.png"
                out.write_bytes(picture(browser, page, width, height, scheme))
                print(out, out.stat().st_size)  # noqa: T201 - a script
                if out.stat().st_size > MOST_BYTES:
                    raise SystemExit(f"{out} is larger than {MOST_BYTES:,} bytes; show less of the page.")


def picture(browser: Browser, page: Path, width: int, height: int, scheme: str) -> bytes:
    """The top of the page as a PNG of few colours."""
    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.open(page, width=width, height=1000)
    box = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    shot = browser.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=box)
    image = (
        Image.open(io.BytesIO(base64.b64decode(shot["data"])))
        .convert("RGB")
        .quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
