"""Sound classifiers of convolutions, on the waveform itself or on a picture of its frequencies."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
