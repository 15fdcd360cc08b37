"""What may be built: search spaces as data, the one walk through them, and the architectures that come out."""

from nas.space.architecture import Architecture
from nas.space.declaration import digest, parse_space, read_space, space_from_data, space_to_data, space_to_yaml
from nas.space.domain import Categorical, Domain, Integer, Real, Value
from nas.space.limits import Limit, broken_limits
from nas.space.size import size, size_text
from nas.space.space import Choose, LayerSpec, Space
from nas.space.tree import Layer, Node, OneOf, Ref, Repeat

__all__ = [
    "Architecture",
    "Categorical",
    "Choose",
    "Domain",
    "Integer",
    "Layer",
    "LayerSpec",
    "Limit",
    "Node",
    "OneOf",
    "Real",
    "Ref",
    "Repeat",
    "Space",
    "Value",
    "broken_limits",
    "digest",
    "parse_space",
    "read_space",
    "size",
    "size_text",
    "space_from_data",
    "space_to_data",
    "space_to_yaml",
]
