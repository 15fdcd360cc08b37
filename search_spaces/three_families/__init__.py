"""Convolutional, recurrent and Transformer classifiers of pictures in one small space that is trained whole."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
