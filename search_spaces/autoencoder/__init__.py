"""Networks that give back rows of numbers through a narrow code."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
