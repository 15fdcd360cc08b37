"""Factorisations of a knowledge graph's tensor, and how they are trained."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
