"""`nas layers`: the vocabulary that spaces are written in."""

import json
from typing import Any

import click

from nas.cli.printing import as_json, console, print_grid, print_list


@click.command()
@click.argument("name", required=False)
@as_json
def layers(name: str | None, as_json: bool) -> None:
    """List the layers that are installed, or print the options of layer NAME."""
    from nas import registry
    from nas.models.glossary import describe_layer

    if name is None:
        print_list(registry.owners(registry.LAYERS), describe_layer if as_json else _in_short, json_too=as_json)
        return
    layer = describe_layer(name)
    if as_json:
        click.echo(json.dumps(layer, indent=1))
        return
    from rich.text import Text

    console().print(Text(f"{layer['name']}  takes {layer['accepts']}, from {layer['package']}\n\n{layer['documentation']}\n"))
    print_grid(layer["options"])


def _in_short(name: str) -> dict[str, Any]:
    from nas.models.glossary import describe_layer

    layer = describe_layer(name)
    options = ", ".join(option["option"] for option in layer["options"])
    return {"name": name, "takes": layer["accepts"], "options": options, "summary": layer["documentation"].partition("\n")[0]}
