"""Exported source, run where nothing but torch can be imported."""

import random
import subprocess
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.benchmark import Modalities, Signature, Tokens
from nas.exporting import Source
from nas.models import build
from nas.space import Space

ALONE = """
import sys
sys.modules.update(dict.fromkeys(
    ("nas", "search_spaces", "benchmarks", "timm", "torchvision", "safetensors", "numpy", "onnx", "scipy", "pandas")
))
"""
"""What forbids a process to import anything that an exported folder must not need."""


OWN = {
    "autoencoder": "unknown_digit",
    "image_gan": "fashion_mnist_generation",
    "recommender": "movielens",
    "tabular_mlp": "breast_cancer",
}
"""Spaces that are meant for one benchmark, which goes before those of all kinds of input."""


def loaded(source: Source, network: nn.Module) -> nn.Module:
    """The network that `source` makes, with the weights of `network`."""
    scope = {"__name__": "model", "__file__": "model.py"}
    exec(compile(source.text, "model.py", "exec"), scope)  # noqa: S102 - what is under test
    copy = scope["network"]()
    for name, value in source.constants.items():
        copy.get_buffer(name).copy_(value)
    copy.load_state_dict(network.state_dict())
    return copy


def inputs_of(signature: Signature, number: int = 3) -> Tensor:
    """Random inputs."""
    generator = torch.Generator().manual_seed(0)
    if isinstance(signature.input, Tokens):
        return torch.randint(signature.input.vocabulary, (number, *signature.input.axes), generator=generator)
    rows = torch.randn(number, *signature.input.axes, generator=generator)
    if isinstance(signature.input, Modalities):
        for name, part in signature.input.parts:
            if isinstance(part, Tokens):
                span = signature.input.span(name)
                rows[:, span] = torch.randint(part.vocabulary, rows[:, span].shape, generator=generator).float()
    return rows


def differences(network: nn.Module, copy: nn.Module, inputs: Tensor) -> tuple[float, float]:
    """Of outputs, in evaluation and from equal random numbers in training."""
    with torch.no_grad():
        still = (network.eval()(inputs) - copy.eval()(inputs)).abs().max().item()
    outputs = []
    for one in (network.train(), copy.train()):
        torch.manual_seed(0)
        outputs.append(one(inputs))
    return still, (outputs[0] - outputs[1]).abs().max().item()


def drawn(space: Space, signature: Signature, seed: int) -> nn.Module:
    """An untrained network of the space."""
    return build(space, space.sample(random.Random(seed)), signature, seed=seed)


def run_alone(code: str, folder: Path) -> str:
    """What `code` prints in `folder`, in a process that can import torch and no other package."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"{ALONE}\nsys.path.insert(0, {str(folder)!r})\n{code}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
