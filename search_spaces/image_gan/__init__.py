"""Generators of pictures out of noise, with the discriminators and losses that they are trained by."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
