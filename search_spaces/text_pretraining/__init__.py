"""Small Transformer encoders for texts, and how they are fine-tuned once they were pre-trained."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
