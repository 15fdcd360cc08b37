import random

import pytest
import torch
from torch.nn import functional

from nas.benchmark import Features, Image, Signature
from nas.models import build
from nas.space import resolve_space

DIGITS = Signature(Image(1, 8, 8), Features(10))


@pytest.mark.parametrize("name", ["cell_cnn", "image_pretraining", "macro_cnn", "mobile_cnn", "residual_cnn"])
def test_20_architectures_run_forward_and_backward(name: str) -> None:
    space, rng = resolve_space(name), random.Random(0)
    pictures = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        model = build(space, space.sample(rng), DIGITS, seed=0)
        logits = model(pictures)
        assert logits.shape == (4, 10)
        functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        assert gradients
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert model.head.linear.bias.grad.any()  # where all edges are none, nothing before it is
