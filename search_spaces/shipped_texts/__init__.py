"""all-MiniLM-L6-v2 as it was trained, and how it is fine-tuned."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
