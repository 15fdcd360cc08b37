"""Write the pages of the documentation that come from the code and from results/: the commands, the layers, and the evidence.

`make docs` runs it before the site is built. What it writes is not committed, so that it cannot grow old.
"""

import re
from pathlib import Path

import click

from nas import registry
from nas.cli import main
from nas.models.glossary import describe_layer

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "results"
WIDTH = 100


def commands() -> str:
    """Every command with its help, in walking order."""
    parts = ["# Commands", "", "What `--help` prints, command by command.", ""]
    for path, command in _walk(main, ("nas",)):
        with click.Context(command, info_name=" ".join(path), max_content_width=WIDTH, terminal_width=WIDTH) as context:
            parts += [f"## {' '.join(path)}", "", "```text", command.get_help(context), "```", ""]
    return "\n".join(parts)


def _walk(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    found = [(path, command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None and not below.hidden:
                found += _walk(below, (*path, name))
    return found


def layers() -> str:
    """Every built-in layer with its options."""
    parts = [
        "# Layers",
        "",
        "The vocabulary of search spaces. Packages may bring more; `nas layers` lists what is installed.",
        "",
    ]
    for name in sorted(registry.owners(registry.LAYERS)):
        layer = describe_layer(name)
        if not layer["package"].startswith("nas-harness "):
            continue
        parts += [f"## {name}", "", f"Takes {layer['accepts']}.", "", layer["documentation"], ""]
        if layer["options"]:
            titles = list(layer["options"][0])
            parts += [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
            parts += [f"| {' | '.join(_cell(option[title]) for title in titles)} |" for option in layer["options"]]
            parts.append("")
    return "\n".join(parts)


def _cell(value: object) -> str:
    return " ".join(str("" if value is None else value).split()).replace("|", "\\|")


def evidence() -> dict[str, str]:
    """What results/ says, as pages; links to files that are no page become their names."""
    sources = {"index": RESULTS / "README.md", "reliability": RESULTS / "reliability.md"}
    sources |= {folder.name: folder / "README.md" for folder in RESULTS.iterdir() if (folder / "README.md").is_file()}
    pages = {source.resolve(): name for name, source in sources.items()}

    def page(source: Path) -> str:
        def link(match: re.Match[str]) -> str:
            words, target = match.groups()
            if target.startswith(("http", "#", "mailto:")):
                return match[0]
            there = (source.parent / target.partition("#")[0]).resolve()
            there = there / "README.md" if there.is_dir() else there
            return f"[{words}]({pages[there]}.md)" if there in pages else words

        text = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)", link, source.read_text(encoding="utf-8"))
        return re.sub(r"!\[([^\]]*)\]\((?!http)[^)]+\)\n?", "", text)

    return {name: page(source) for name, source in sources.items()}


def write() -> None:
    """Write all pages."""
    pages = {"reference/commands": commands(), "reference/layers": layers()}
    pages |= {f"evidence/{name}": text for name, text in evidence().items()}
    for name, text in pages.items():
        path = DOCS / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
