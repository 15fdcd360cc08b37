"""The command line: one command a stage, in walking order. Each parses, calls one function a script can call too, prints."""

from nas.cli.commands import main

__all__ = ["main"]
