"""A search space of gated convolutions; importing it loads no torch."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
