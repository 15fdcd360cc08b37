"""Pairs of networks that look at a picture, read a text and listen to a sound, and answer together."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
