"""The words of a space and what they mean: which layer kinds there are, and whether a space uses them rightly."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from nas import registry
from nas.benchmark import Shape
from nas.errors import RegistryError, did_you_mean, quote
from nas.models.layers.kind import LayerKind
from nas.space import Categorical, Cell, Domain, Integer, Layer, Node, OneOf, Real, Ref, Repeat, Space, Value, inner

Place = tuple[str | int, ...]

MAX_TRIED = 1_000
"""The most integers of one range that are each tried."""


def layer_kind(name: str) -> type[LayerKind]:
    """The kind of layer called `name`.

    Raises:
        RegistryError: there is none, or what its owner gives is no LayerKind, or none that says what it accepts.
    """
    kind = registry.load(registry.LAYERS, name)
    if not (isinstance(kind, type) and issubclass(kind, LayerKind)):
        raise RegistryError(f"The layer {name!r} must be a subclass of nas.models.LayerKind, got {quote(kind)}.")
    accepts = getattr(kind, "accepts", None)
    if not (isinstance(accepts, tuple) and accepts and all(isinstance(one, type) and issubclass(one, Shape) for one in accepts)):
        told = "nothing" if accepts is None else quote(accepts)
        raise RegistryError(
            f"The {registry.title(registry.LAYERS, name)} must name the classes of shapes that it takes as a tuple `accepts`, "
            f"such as (Image,), got {told}."
        )
    return kind


def check_layers(space: Space) -> None:
    """Check every layer of `space`, with every value that its options can take, against the vocabulary.

    Raises:
        NasError: a kind or an option is unknown, missing, or given a value that it does not take; names the place.
    """
    for node, place, scope in _layers(space.layers, ("layers",), space.choices):
        try:
            kind = layer_kind(node.kind)
        except RegistryError as error:
            raise space.error(place, str(error)) from None
        _check_options(space, kind, node, place, scope)


def describe(error: ValidationError, kind: str) -> str:
    """The first complaint of `error` about a layer of `kind`, on one line."""
    first = error.errors(include_url=False)[0]
    option = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "missing":
        return f"{kind} needs the option {option!r}."
    rule = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    seen = "" if first["type"] == "value_error" and not option else f", got {quote(first['input'])}"
    return f"{kind}{f'.{option}' if option else ''} {rule}{seen}."


def _check_options(space: Space, kind: type[LayerKind], node: Layer, place: Place, scope: Mapping[str, Any]) -> None:
    values: dict[str, list[Value]] = {}
    for option, value in node.options.items():
        if option not in kind.model_fields:
            known = did_you_mean(option, kind.model_fields)
            raise space.error((*place, option), f"{node.kind} has no option {option!r}. {known}")
        values[option] = list(_answers(scope[value.name] if isinstance(value, Ref) else value))
    first = {option: some[0] for option, some in values.items()}
    for option, some in values.items() or [("", [None])]:
        for value in some:
            try:
                kind(**{**first, option: value} if option else first)
            except ValidationError as error:
                loc = error.errors(include_url=False)[0]["loc"]  # of the complaint that `describe` tells
                at = (*place, loc[0]) if loc and loc[0] in node.options else place
                raise space.error(at, describe(error, node.kind)) from None


def _answers(option: Domain | Value) -> Iterator[Value]:
    """Every value of `option`; of a range of reals, or of more than MAX_TRIED integers, both ends."""
    if isinstance(option, Categorical) or (isinstance(option, Integer) and option.size <= MAX_TRIED):
        yield from option
    elif isinstance(option, Integer | Real):
        yield from (option.low, option.high)
    else:
        yield option


def _layers(nodes: tuple[Node, ...], place: Place, scope: Mapping[str, Any]) -> Iterator[tuple[Layer, Place, Mapping[str, Any]]]:
    """Every layer of a tree, where it stands, and the shared choices in its sight."""
    for n, node in enumerate(nodes):
        here = (*place, n)
        if isinstance(node, Layer):
            yield node, (*here, node.kind), scope
        seen = {**scope, **node.choices} if isinstance(node, Repeat) else scope
        for way, within in inner(node):
            alone = isinstance(node, OneOf | Cell) and within and isinstance(_option(node, way[-1]), Layer)
            if alone:
                yield within[0], (*here, *way), seen  # type: ignore[misc]  # a single layer
            else:
                yield from _layers(within, (*here, *way), seen)


def _option(node: OneOf | Cell, name: object) -> object:
    return (node.options if isinstance(node, OneOf) else node.operations)[str(name)]
