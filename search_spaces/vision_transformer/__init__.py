"""Vision Transformers for small pictures, on the blocks of timm's VisionTransformer."""

from pathlib import Path

from nas.space import read_space

SPACE = read_space(Path(__file__).with_name("space.yaml"))
