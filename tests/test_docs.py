"""The documentation builds as a site, without a broken link, and asks nobody else for anything."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("zensical") is None:
        pytest.skip("zensical is not installed; the extra docs has it")
    folder = tmp_path_factory.mktemp("documentation")
    for name in ("nas", "results", "search_spaces", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("evidence"))
    shutil.copy(ROOT / "zensical.toml", folder)
    subprocess.run([sys.executable, "docs/generate.py"], cwd=folder, check=True)
    build = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.mark.slow
def test_every_page_is_built_and_no_link_is_broken(site: Path) -> None:
    wanted = re.findall(r'"([\w/-]+)\.md"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
    for name in wanted:
        built = site / name.removesuffix("index") / "index.html"
        assert built.is_file(), name
    assert "reference/commands" in wanted


@pytest.mark.slow
def test_every_written_page_stands_in_the_navigation(site: Path) -> None:
    told = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    written = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert {page for page in written if f'"{page}"' not in told} == set()


@pytest.mark.slow
def test_the_reference_tells_commands_layers_and_python(site: Path) -> None:
    def page(name: str) -> str:
        return (site / "reference" / name / "index.html").read_text(encoding="utf-8")

    assert 'id="nas-search"' in page("commands")
    assert 'id="squeeze_excite"' in page("layers")
    assert 'id="nas.searching.Study' in page("python") or 'id="nas.Study' in page("python")


@pytest.mark.slow
def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'(?:src|href)="(https?://[^"]+)"[^>]*?(?:rel="stylesheet"|as=|></script)', page.read_text(encoding="utf-8")
        )
        assert not loaded, page


def test_what_is_built_is_not_committed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    kept = subprocess.run(["git", "ls-files", "site", "docs/evidence"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert kept.stdout == ""
