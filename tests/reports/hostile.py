"""Texts that a page must show and never obey, and a study that has one wherever a text can stand."""

from dataclasses import replace

from books import MACHINE, Book, MakeBook, curve, definition, record

from nas.records import Failure

HOSTILE = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</SCRIPT >",
    "<!--",
    "-->",
    "<!--<script>",
    "]]>",
    "</style><style>*{display:none}</style>",
    "</title><h1>",
    "</pre></td></table></div>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "' onmouseover='alert(1)",
    '" onmouseover="alert(1)',
    "` onmouseover=`alert(1)",
    "&lt;b&gt;",
    "&amp;&#60;",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# #}",
    "${7*7}",
    "\\u003cscript\\u003e",
    "\\'; alert(1); //",
    "\u2028alert(1)\u2029",
    "line\nbreak\ttab",
    "\x00\x1b[31m",
    "\u202eright to left",
    "漢字 émoji 🧪 Ω",
    "http://example.com/x.js",
    "x" * 5_000,
    "$\\frac{$",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=alert(1)></style></mglyph></math>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<details open ontoggle=alert(1)>",
    "<base href='http://example.com/'>",
    "<link rel=stylesheet href='http://example.com/x.css'>",
    "<meta http-equiv=refresh content='0;url=http://example.com/'>",
    "<form action='http://example.com/'><button>",
    "<object data='http://example.com/x'></object>",
    "}</style>*{background:url(http://example.com/x)}",
    "url(http://example.com/x)",
    "expression(alert(1))",
    '=HYPERLINK("http://example.com")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "\ud800 alone",
    "\ufeff\u200b\u200d\u2066",
    "NaN",
]


def hostile_book(make_book: MakeBook, name: str, text: str) -> Book:
    """A study with `text` wherever a text can stand."""
    given = definition()
    given["space"] |= {"summary": text, "digest": text}
    given["benchmark"] |= {
        "name": text,
        "summary": text,
        "source": text,
        "licence": text,
        "floor": {f"test_{text}": 0.5},
        "floor_by": text,
    }
    given["benchmark"]["recipe"] = {text: text}
    metric = f"validation_{text}"
    given["objectives"] = given["benchmark"]["objectives"] = [{"figure": metric, "direction": "maximize"}]
    given |= {"strategy": text, "pruner": text, "limits": [text]}
    book = make_book(name, **given)
    machine = replace(MACHINE, processor=text, system=text, accelerator=text)
    points = tuple(replace(point, figures={metric: 0.5}) for point in curve(0.5))
    both = {"device": text, "machine": machine, "versions": {text: text}, "commit": text, "curve": points}
    for outcome in ("complete", "pruned", "infeasible", "failed"):
        for stage in ("search", "final"):
            book.add(
                record(
                    outcome,
                    accuracy=None,
                    figures={metric: 0.5, f"test_{text}": 0.4, text: 1.0},
                    uncounted={text: 1},
                    notes=(text,),
                    broken_limits=(text,),
                    error=Failure(kind=text, message=text),
                    **both,
                ),
                stage=stage,  # type: ignore[arg-type]
                choices={text: text, "outcome": outcome},
            )
    return book
