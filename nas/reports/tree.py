"""A search space drawn as a tree: what is built, what is chosen, and out of what."""

import re
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.text import Text
from rich.tree import Tree

from nas.errors import printable
from nas.space import (
    Categorical,
    Cell,
    Domain,
    Integer,
    Layer,
    Node,
    Parallel,
    Real,
    Ref,
    Repeat,
    Space,
    Value,
    readme_beside,
    size_if_counted,
    size_text,
)
from nas.space.tree import Option

EXACT = 10**30
"""Below this a size is written out."""

_PAPER = re.compile(r"arXiv:(\d{4}\.\d{4,5})")


def tree(space: Space) -> RenderableType:
    """What a terminal shows of `space`; nothing that stands in it is read as markup or sent raw."""
    head = Text.assemble((space.name, "bold"), f"  version {space.version}, accepts {' and '.join(space.accepts)}")
    lines: list[RenderableType] = [head]
    if space.summary:
        lines.append(Text(printable(space.summary)))
    count = size_if_counted(space)
    lines.append(Text(f"{f'{count:,}' if count is not None and count < EXACT else size_text(count)} architectures"))
    if found := papers(space):
        lines.append(Text(f"papers: {', '.join(found)}"))
    lines.append(Text(""))
    _choices(shared := Tree(_label("choices", "", "bold")), space.choices)
    if space.choices:
        lines.append(shared)
    _nodes(layers := Tree(_label("layers", "", "bold")), space.layers)
    lines.append(layers)
    if space.limits:
        limits = Tree(_label("limits", "", "bold"))
        for limit in space.limits:
            limits.add(_label(str(limit), ""))
        lines.append(limits)
    return Group(*lines)


def papers(space: Space) -> list[str]:
    """The papers that the README beside the space names, each once."""
    readme = readme_beside(space)
    if readme is None or not readme.is_file():
        return []
    return [f"arXiv:{number}" for number in dict.fromkeys(_PAPER.findall(readme.read_text(encoding="utf-8", errors="replace")))]


def _label(name: str, rest: str, style: str = "cyan") -> Text:
    return Text.assemble((printable(name), style), f"  {printable(rest)}" if rest else "")


def _choices(above: Tree, choices: Mapping[str, Domain | Value]) -> None:
    for name, domain in choices.items():
        above.add(_label(f"${name}", _option(domain), "green"))


def _nodes(above: Tree, nodes: tuple[Node, ...]) -> None:
    for node in nodes:
        _node(above, node)
    if not nodes:
        above.add(Text("nothing: what comes in goes on", "dim"))


def _node(above: Tree, node: Node) -> None:
    if isinstance(node, Layer):
        options = [f"{key} {_option(value)}" for key, value in node.options.items()]
        above.add(_label(node.name, " · ".join([node.kind, *options] if node.name != node.kind else options)))
    elif isinstance(node, Repeat):
        within = above.add(_label(node.name, f"repeat {_option(node.times)} times"))
        _choices(within, node.choices)
        _nodes(within, node.layers)
    elif isinstance(node, Parallel):
        within = above.add(_label(node.name, f"side by side, merge {_option(node.merge)}"))
        for name, branch in node.branches.items():
            _nodes(within.add(_label(name, "", "yellow")), branch)
    elif isinstance(node, Cell):
        decides = "" if node.by is None else f", by {node.by}_0_1 to {node.by}_{node.nodes - 2}_{node.nodes - 1}"
        label = f"cell of {node.nodes} nodes, {len(node.edges)} edges{decides}, each one of"
        _alternatives(above.add(_label(node.name, label)), node.operations)
    else:
        decides = "" if node.by is None else f", by {node.by}"
        _alternatives(above.add(_label(node.name, f"one of{decides}")), node.options)


def _alternatives(above: Tree, options: Mapping[str, Layer | tuple[Node, ...]]) -> None:
    for name, option in options.items():
        if isinstance(option, Layer):
            _node(above, option)
        else:
            _nodes(above.add(_label(name, "", "yellow")), option)


def _option(option: Option) -> str:
    if isinstance(option, Categorical | Integer | Real | Ref):
        return str(option)
    return {None: "null", True: "true", False: "false"}[option] if option is None or isinstance(option, bool) else str(option)
