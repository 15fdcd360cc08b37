"""Where a run's events go: to whoever watches the terminal, or to a script."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from nas.cli.stopping import stoppable

if TYPE_CHECKING:
    from nas.searching import OnEvent


@contextmanager
def told(as_json: bool) -> Iterator["OnEvent"]:
    """JSON lines, a live display, or plain lines off a terminal; nowhere from a process that only helps."""
    from nas.cli.progress import display
    from nas.searching import following, to_data

    with stoppable():
        if following():
            yield lambda _: None
        elif as_json:
            yield lambda event: click.echo(json.dumps(to_data(event)))
        else:
            with display() as on_event:
                yield on_event
