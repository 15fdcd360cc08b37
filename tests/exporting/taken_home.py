"""Exported source, run where nothing but torch can be imported."""

import json
import random
import subprocess
import sys
import tempfile
from functools import cache
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

FORKS = """
import json
import os
import traceback

import torch

for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        os.dup2(os.open(asked["said"], os.O_WRONLY | os.O_CREAT), 1)
        os.dup2(os.open(asked["wrong"], os.O_WRONLY | os.O_CREAT), 2)
        os.chdir(asked["folder"])
        sys.path.insert(0, asked["folder"])
        status = 0
        try:
            exec(compile(asked["code"], "code", "exec"), {"__name__": "__main__"})
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs the code that it is asked for, each in a process of its own; it ends with its input."""


OWN = {
    "autoencoder": "unknown_digit",
    "cross_modal_members": "emoji",
    "image_gan": "fashion_mnist_generation",
    "recommender": "movielens",
    "shipped_texts": "reviews_200_labels_pieces",
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
    with tempfile.TemporaryDirectory() as place:
        asked = {"code": code, "folder": str(folder), "said": f"{place}/said", "wrong": f"{place}/wrong"}
        server = _alone()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(asked) + "\n")
        server.stdin.flush()
        status = server.stdout.readline()
        assert status == "0\n", Path(asked["wrong"]).read_text()
        return Path(asked["said"]).read_text()


@cache
def _alone() -> "subprocess.Popen[str]":
    """Who forks these processes: it has loaded torch, which takes seconds, and has done nothing with it."""
    return subprocess.Popen([sys.executable, "-I", "-c", ALONE + FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
