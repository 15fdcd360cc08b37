"""Graph networks whose entities take in their neighbours before queries are answered."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
