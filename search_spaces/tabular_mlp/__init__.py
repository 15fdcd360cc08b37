"""Residual networks for rows of numbers."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
