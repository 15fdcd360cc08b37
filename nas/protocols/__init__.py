"""How candidates are trained other than by supervision alone: a module a protocol, each loaded by its entry point."""
