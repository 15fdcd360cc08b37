"""Embeddings of knowledge graphs: how links are scored, and what they are trained to do."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
