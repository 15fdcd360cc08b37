import hashlib
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.utils.data import TensorDataset

from nas.training import Examples, digest_sources, digest_tensors, write_weights

WEIGHTS = {"b": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "a": torch.tensor(7)}


def test_a_digest_is_of_names_types_axes_and_bytes_in_the_order_of_names() -> None:
    seven, rows = torch.tensor(7).numpy().tobytes(), torch.tensor([[1.0, 2.0], [3.0, 4.0]]).numpy().tobytes()
    by_hand = hashlib.sha256(b"a\0int64\0\0" + seven + "b\0float32\0002×2\0".encode() + rows)
    assert digest_tensors(WEIGHTS) == by_hand.hexdigest()


def test_the_layout_in_memory_makes_no_difference() -> None:
    convolution = nn.Conv2d(3, 4, 3)
    before = digest_tensors(convolution.state_dict())
    there = convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    assert not there.weight.is_contiguous()
    assert digest_tensors(there.state_dict()) == before


@pytest.mark.parametrize(
    "other",
    [
        {**WEIGHTS, "a": torch.tensor(8)},
        {**WEIGHTS, "a": torch.tensor([7])},
        {**WEIGHTS, "a": torch.tensor(7.0)},
        {**WEIGHTS, "b": torch.tensor([[1.0, 2.0], [3.0, torch.tensor(4.0).nextafter(torch.tensor(5.0)).item()]])},
        {**WEIGHTS, "b": WEIGHTS["b"].reshape(4)},
        {"c": WEIGHTS["b"], "a": WEIGHTS["a"]},
        {"a": WEIGHTS["a"]},
    ],
    ids=["number", "axis", "type", "last bit", "axes", "name", "fewer"],
)
def test_whatever_differs_shows(other: dict[str, torch.Tensor]) -> None:
    assert digest_tensors(other) != digest_tensors(WEIGHTS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.bool, torch.complex64])
def test_every_type_of_number_has_a_digest(dtype: torch.dtype) -> None:
    assert digest_tensors({"a": torch.zeros(3, dtype=dtype)}) != digest_tensors({"a": torch.ones(3, dtype=dtype)})


def test_a_state_that_is_not_of_tensors_alone_has_no_digest() -> None:
    with pytest.raises(TypeError, match="a is no tensor but of type str"):
        digest_tensors({"a": "text"})  # type: ignore[dict-item]


def test_data_are_told_by_every_example_of_both_splits() -> None:
    some, others = Examples(torch.zeros(4, 2), torch.arange(4)), Examples(torch.ones(4, 2), torch.arange(4))
    whole = digest_sources({"train": some, "validation": others})
    assert whole == digest_sources({"validation": others, "train": Examples(torch.zeros(4, 2), torch.arange(4))})
    assert whole != digest_sources({"train": others, "validation": some})
    assert whole != digest_sources({"train": some, "validation": Examples(others.inputs, others.targets.flip(0))})


def test_data_that_stream_are_told_by_the_text_that_they_carry_or_not_at_all() -> None:
    class Known(TensorDataset):
        sha256 = "version 3"

    streamed = TensorDataset(torch.zeros(4, 2), torch.arange(4))
    examples = Examples(torch.zeros(4, 2), torch.arange(4))
    assert digest_sources({"train": streamed, "validation": examples}) is None  # type: ignore[dict-item]
    known = {"train": Known(torch.zeros(4, 2)), "validation": examples}
    assert digest_sources(known) is not None  # type: ignore[arg-type]
    Known.sha256 = "version 4"
    assert digest_sources(known) != digest_sources({"train": examples, "validation": examples})  # type: ignore[arg-type]


def test_weights_in_a_file_have_the_digest_that_they_had_in_the_network(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    write_weights(network, tmp_path / "w.safetensors")
    found = safetensors.torch.load_file(tmp_path / "w.safetensors")
    assert digest_tensors(found) == digest_tensors(network.state_dict())
