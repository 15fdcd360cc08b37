"""What may be built: search spaces as data, the one walk through them, and the architectures that come out."""

from nas.space.architecture import Architecture
from nas.space.breeding import Parent
from nas.space.completions import Completions
from nas.space.counting import architecture_at, architectures, draw, index_of, sample_uniformly
from nas.space.declaration import (
    digest,
    parse_space,
    read_space,
    space_from_data,
    space_from_document,
    space_to_data,
    space_to_yaml,
)
from nas.space.domain import Categorical, Domain, Integer, Real, Value, same_value
from nas.space.encoding import Encoding
from nas.space.finding import known_spaces, readme_beside, resolve_space
from nas.space.fold import Fold
from nas.space.limits import Limit, broken_limits
from nas.space.neighbours import changed, crossover, differences, distance, mutate, neighbours
from nas.space.reach import Extreme, Reach, extremes
from nas.space.size import size, size_if_counted, size_text
from nas.space.space import CellSpec, Choose, LayerSpec, ParallelSpec, Space, Spec
from nas.space.tree import Cell, Layer, Node, OneOf, Parallel, Ref, Repeat, declared, inner
from nas.space.within import NoneWithin, sample_within

__all__ = [
    "Architecture",
    "Categorical",
    "Cell",
    "CellSpec",
    "Choose",
    "Completions",
    "Domain",
    "Encoding",
    "Extreme",
    "Fold",
    "Integer",
    "Layer",
    "LayerSpec",
    "Limit",
    "Node",
    "NoneWithin",
    "OneOf",
    "Parallel",
    "ParallelSpec",
    "Parent",
    "Reach",
    "Real",
    "Ref",
    "Repeat",
    "Space",
    "Spec",
    "Value",
    "architecture_at",
    "architectures",
    "broken_limits",
    "changed",
    "crossover",
    "declared",
    "differences",
    "digest",
    "distance",
    "draw",
    "extremes",
    "index_of",
    "inner",
    "known_spaces",
    "mutate",
    "neighbours",
    "parse_space",
    "read_space",
    "readme_beside",
    "resolve_space",
    "same_value",
    "sample_uniformly",
    "sample_within",
    "size",
    "size_if_counted",
    "size_text",
    "space_from_data",
    "space_from_document",
    "space_to_data",
    "space_to_yaml",
]
