"""What a page is made of beside its content: style, scripts, and the policy under which nothing else counts."""

import base64
import hashlib
from importlib.resources import files
from urllib.parse import quote as percent

import jinja2
from markupsafe import Markup

SCRIPTS = (
    "elements",
    "rows",
    "view",
    "leaderboard",
    "filters",
    "axes",
    "points",
    "curves",
    "parallel",
    "boards",
    "theme",
    "age",
    "main",
)
"""The page's scripts, in an order in which each finds what it needs."""


def scripts() -> Markup:
    """The page's scripts as one, which leaves nothing behind."""
    parts = Markup("\n").join(asset(f"{name}.js") for name in SCRIPTS)
    return Markup('\n"use strict";\n(() => {\n') + parts + Markup("})();\n")


def asset(name: str, room: str = "nas.reports") -> Markup:
    """A file of ours, from the templates of a room, that stands in the page as it is."""
    return Markup((files(room) / "templates" / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def templates(room: str = "nas.reports") -> jinja2.Environment:
    """The templates of a room: what they are given is escaped, and what they are not given is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(room, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy(style: str, script: str = "") -> str:
    """Nothing is fetched; only this style and this script count, if there is one."""
    runs = f"script-src {_hash(script)}; " if script else ""
    return f"default-src 'none'; style-src {_hash(style)}; {runs}img-src data:; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def data_uri(image: bytes) -> str:
    """An SVG as the source of an image in a page."""
    return "data:image/svg+xml," + percent(image.decode().replace('"', "'"), safe=" !$'()*+,-./:;=?@_~")
