"""The one place that knows devices: which one, how many threads, when its work is done, how much memory it holds."""

import torch
from torch import nn

from nas.errors import SearchError, quote


def pick(name: str | None = None) -> torch.device:
    """The device called `name` ("cpu", "cuda", "cuda:1"); without a name, CUDA where there is one, else the CPU.

    Raises:
        SearchError: no such device, or it is not there.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in {"cpu", "cuda"}:
        raise SearchError(f"A device is 'cpu', 'cuda' or 'cuda:N', got {quote(name)}.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise SearchError(f"The device {name!r} is not there; this machine has {count or 'no'} CUDA device{'s' * (count != 1)}.")
    return device


def accelerator(device: torch.device) -> str | None:
    """The GPU's name; None for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def place(model: nn.Module, device: torch.device) -> nn.Module:
    """`model` on `device`, its convolutions in the layout that is fastest there.

    On the CPU that is channels-last: 1.1 to 1.45 times faster training for networks of `residual_cnn`.
    """
    if device.type == "cpu":
        return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return model.to(device)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was given; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release(device: torch.device) -> None:
    """Give memory that no tensor uses back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device, or the host, had no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
