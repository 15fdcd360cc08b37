"""Small residual networks of pictures, and how they learn from labels after a pre-training without."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
