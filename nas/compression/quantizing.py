"""Quantisation: weights, and where asked what flows between layers, in eight bits or four.

torchao's kernels serve linear layers alone; convolutions, embeddings and recurrent cells are quantised by ours, on the same grid.
What computes in float32 with weights from the grid is as exact as whole numbers would be, and no faster: its row says so.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import safetensors.torch
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nas.benchmark import Budget
from nas.compression.fine_tuning import Epochs, fine_tuning
from nas.training import Derivation, Lineage, Unsupported
from nas.training.derivations import Family
from nas.training.packing import INT8, SCALE, from_grid, parameters_of, rounded, to_grid, unpacked

LEVELS = 255
"""Steps of eight bits, from the least value to the largest."""

QUANTIZED = (nn.Linear, nn.Conv1d, nn.Conv2d)
"""Layers of which what they are given is quantised too."""

BATCH = 64


class _Quantized(Derivation):
    """Shared by the methods below: their weights lie on the grid, in the network and in the file."""

    family: ClassVar[Family] = "compression"
    plain: ClassVar[bool] = False

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:  # noqa: ARG002
        """With weights from the grid."""
        network.load_state_dict(unpacked(_on_grid(network), network.state_dict()))
        return network

    def kept(self, network: nn.Module) -> Mapping[str, Tensor]:
        """Whole numbers and scales."""
        return _on_grid(network)


class Int8Weights(_Quantized):
    """All matrices and filters in eight bits, whatever layer they are of; computed in float32."""

    summary: ClassVar[str] = "weights of all layers in 8 bits; computes in float32"


class Int8Dynamic(_Quantized):
    """Linear layers by torchao: weights in eight bits, and what they are given too, its range taken anew each time.

    All other layers are as in `int8-weights`.
    """

    summary: ClassVar[str] = "linear layers compute in 8 bits (torchao), the others as int8-weights"
    slopes: ClassVar[bool] = False

    def check(self, device: torch.device) -> None:  # noqa: ARG002
        """torchao must be there."""
        _torchao()

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """With torchao's linear layers.

        Raises:
            Unsupported: there is no linear layer.
        """
        _check_linear(network)
        linear = {name: module.weight.detach().clone() for name, module in _plain_linears(network)}
        network = super().finish(network, lineage)
        for name, weight in linear.items():  # which torchao rounds from what they were
            network.get_submodule(name).weight.data.copy_(weight)  # type: ignore[operator]  # a linear layer's
        return self._converted(network)

    @property
    def hindrance(self) -> str:
        """torchao's kernels are its own."""
        return "it computes by torchao's kernels; int8-weights has nearly the same weights, and can be"

    def kept(self, network: nn.Module) -> Mapping[str, Tensor]:
        """Whole numbers and scales; of linear layers those that torchao has."""
        theirs = dict(_of_torchao(network))
        names = {name for name, _ in network.named_parameters()} - {f"{name}.weight" for name in theirs}
        kept = dict(rounded({name: value for name, value in network.state_dict().items() if _is_plain(value)}, names))
        for name, weight in theirs.items():
            kept |= {f"{name}.weight{INT8}": weight.qdata, f"{name}.weight{SCALE}": weight.scale.flatten()}
        return kept

    def restored(self, network: nn.Module, path: Path, inputs: Tensor) -> nn.Module:
        """With the whole numbers of the file."""
        kept, network = _read(path), self._converted(super().restored(network, path, inputs))
        for name, weight in _of_torchao(network):
            weight.qdata.copy_(kept[f"{name}.weight{INT8}"])
            weight.scale.copy_(kept[f"{name}.weight{SCALE}"].view_as(weight.scale))
        return network

    def _converted(self, network: nn.Module) -> nn.Module:
        quantization = _torchao()
        quantization.quantize_(network.eval(), quantization.Int8DynamicActivationInt8WeightConfig(), _is_plain_linear)
        return network


class Int4Weights(Derivation):
    """Linear layers' weights in four bits by torchao, where the device has kernels for them: an NVIDIA GPU."""

    summary: ClassVar[str] = "linear layers' weights in 4 bits (torchao), on NVIDIA GPUs"
    family: ClassVar[Family] = "compression"
    plain: ClassVar[bool] = False
    slopes: ClassVar[bool] = False

    def check(self, device: torch.device) -> None:
        """There must be torchao and a GPU.

        Raises:
            Unsupported: there is not.
        """
        if device.type != "cuda":
            raise Unsupported(f"Weights in 4 bits need an NVIDIA GPU, got {device.type}; int8-weights runs everywhere.")
        _torchao()

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:  # noqa: ARG002
        """With torchao's weights.

        Raises:
            Unsupported: there is no linear layer, or torchao lacks its kernels.
        """
        _check_linear(network)
        quantization = _torchao()
        try:
            quantization.quantize_(network.eval(), quantization.Int4WeightOnlyConfig(), _is_plain_linear)
        except (ImportError, RuntimeError, NotImplementedError, AssertionError) as error:
            raise Unsupported(f"torchao cannot do it here: {' '.join(str(error).split())[:160]}.") from error
        return network

    def kept(self, network: nn.Module) -> Mapping[str, Tensor]:
        """The tensors that torchao's are made of."""
        return dict(_inner(network.state_dict()))

    def restored(self, network: nn.Module, path: Path, inputs: Tensor) -> nn.Module:  # noqa: ARG002
        """Nothing reads them again.

        Raises:
            Unsupported: always.
        """
        raise Unsupported("It has weights in 4 bits, which torchao alone reads, as it made them.")

    @property
    def hindrance(self) -> str:
        """torchao alone reads its weights."""
        return "torchao alone reads weights in 4 bits; int8-weights can be"


class _Ranged(_Quantized):
    """Quantised with what layers are given too, whose ranges are kept beside the weights."""

    def restored(self, network: nn.Module, path: Path, inputs: Tensor) -> nn.Module:
        """With the weights and ranges of the file."""
        _observe(network)
        network = super().restored(network, path, inputs)
        _freeze(network)
        return network


class Int8Static(_Ranged):
    """Weights in eight bits, and what linear layers and convolutions are given too, in a range that training data showed.

    The range of each is from the least to the largest value that calibration met (Jacob et al. 2018, sec. 3.1). Simulated: the
    numbers are those of whole-number arithmetic, computed in float32.
    """

    summary: ClassVar[str] = "weights and activations in 8 bits, calibrated on training data; simulated in float32"

    examples: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """Of training data, that ranges are taken from."""

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """With weights from the grid, and ranges."""
        network = super().finish(network, lineage).eval()
        _observe(network, always=True)
        with torch.no_grad():
            count = min(self.examples, len(lineage.training))
            picked = [torch.arange(begin, min(begin + BATCH, count)) for begin in range(0, count, BATCH)]
            for inputs, _ in lineage.training.batches(picked):
                network(inputs)
        _freeze(network)
        return network


class Qat(_Ranged):
    """As `int8-static`, with some epochs of training in which weights and what layers are given are rounded on the way forward,
    and gradients pass as if they were not (Jacob et al. 2018, sec. 3; Bengio et al. 2013, arXiv:1308.3432).

    Weights of recurrent cells are rounded after training.
    """

    summary: ClassVar[str] = "int8-static after some epochs of training with rounding (quantisation-aware)"

    epochs: Epochs | None = None
    """Of this training; a quarter of a finalist's if not given."""

    def budget(self, final: Budget) -> Budget:
        """Some epochs."""
        return fine_tuning(final, self.epochs, 4)

    def begin(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """With the parent's weights, and rounding on the way forward."""
        network = super().begin(network, lineage)
        for module in _quantized(network):
            parametrize.register_parametrization(module, "weight", _Rounded())
        _observe(network)
        return network

    def finish(self, network: nn.Module, lineage: Lineage) -> nn.Module:
        """With weights from the grid, and the ranges that training showed."""
        for module in _quantized(network):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
        network = super().finish(network, lineage).eval()
        _freeze(network)
        return network


class _Rounded(nn.Module):
    """A weight as the grid has it; its gradient is that of the grid's."""

    def forward(self, weight: Tensor) -> Tensor:
        """The same shape."""
        return weight + (from_grid(*to_grid(weight)) - weight).detach()


def _on_grid(network: nn.Module) -> dict[str, Tensor]:
    """The state of `network` with its weights as whole numbers and scales."""
    return dict(rounded(network.state_dict(), parameters_of(network)))


def _quantized(network: nn.Module) -> Iterator[nn.Module]:
    """The layers of which what they are given is quantised."""
    yield from (module for module in network.modules() if isinstance(module, QUANTIZED))


def _observe(network: nn.Module, *, always: bool = False) -> None:
    """Have each of these layers take the range of what it is given, in training alone or always, and round to it."""
    device = next(network.parameters()).device
    for module in _quantized(network):
        module.register_buffer("given_range", torch.zeros(2, device=device))  # finite, as running means of weights need it
        module.given_frozen, module.given_always = False, always  # type: ignore[assignment]  # plain attributes
        module.register_forward_pre_hook(_round_given)


def _freeze(network: nn.Module) -> None:
    """Take ranges as they are from now on."""
    for module in _quantized(network):
        module.given_frozen = True  # type: ignore[assignment]  # a plain attribute


def _round_given(module: Any, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a layer is given, in eight bits of its range; a range that is not frozen grows with what is met."""
    values, held = given[0], module.given_range
    if not module.given_frozen and (module.training or module.given_always):
        least, largest = values.detach().min().clamp(max=0), values.detach().max().clamp(min=0)  # 0 is padding, and is exact
        held.copy_(torch.stack([torch.minimum(held[0], least), torch.maximum(held[1], largest)]))
    if not module.given_frozen and not bool(held.any()):
        return given  # nothing was met yet
    scale = ((held[1] - held[0]) / LEVELS).clamp(min=1e-8)
    zero = torch.round(-held[0] / scale).clamp(0, LEVELS)
    rounded = (torch.clamp(torch.round(values / scale) + zero, 0, LEVELS) - zero) * scale
    if not (torch.is_grad_enabled() and values.requires_grad):
        return (rounded, *given[1:])
    inside = (values >= held[0]) & (values <= held[1])  # gradients pass where nothing is cut off, else an attack would find none
    passed = torch.where(inside, values, values.detach())
    return (passed + (rounded - passed).detach(), *given[1:])


def _torchao() -> Any:
    """torchao's quantisation.

    Raises:
        Unsupported: it is not installed, or does not fit this torch.
    """
    import logging
    import warnings

    logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)  # which tells of torchao's kinds as they are registered
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own parts that it uses
            import torchao.quantization
    except Exception as error:  # whatever a package that does not fit raises as it is loaded
        raise Unsupported(
            f"It needs torchao, which cannot be loaded ({type(error).__name__}); pip install 'nas-harness[compress]'."
        ) from error
    return torchao.quantization


def _is_plain_linear(module: nn.Module, name: str) -> bool:  # noqa: ARG001 - torchao's signature
    return type(module) is nn.Linear


def _check_linear(network: nn.Module) -> None:
    if not any(type(module) is nn.Linear for module in network.modules()):
        raise Unsupported("It has no linear layer, and torchao quantises no others here; int8-weights does.")


def _plain_linears(network: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    for name, module in network.named_modules():
        if type(module) is nn.Linear:
            yield name, module


def _is_plain(value: Tensor) -> bool:
    """Whether it is no tensor of torchao's."""
    return not hasattr(value, "__tensor_flatten__")


def _of_torchao(network: nn.Module) -> Iterator[tuple[str, Any]]:
    """The weights of its linear layers, by the layers' names."""
    return ((name, module.weight) for name, module in _plain_linears(network) if not _is_plain(module.weight))


def _inner(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Plain tensors, those that others wrap too."""
    for name, value in state.items():
        if hasattr(value, "__tensor_flatten__"):
            names, _ = value.__tensor_flatten__()
            yield from _inner({f"{name}.{inner}": getattr(value, inner) for inner in names})
        else:
            yield name, value


def _read(path: Path) -> dict[str, Tensor]:
    return safetensors.torch.load(path.read_bytes())
