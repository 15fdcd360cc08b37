"""Image classifiers of inverted residual blocks, after MnasNet and MobileNetV3."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
