"""The one place that knows devices: which one, how many threads, when its work is done, how much memory it holds."""

import ctypes
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from nas.errors import SearchError, quote

Precision = Literal["float32", "bfloat16", "float16"]
"""The number format that convolutions and matrix products are computed in; weights are float32 in all."""


def pick(name: str | None = None) -> torch.device:
    """The device called `name` ("cpu", "cuda", "cuda:1", "mps"); without a name CUDA where there is one, else Apple's GPU, else
    the CPU.

    Raises:
        SearchError: no such device, or it is not there.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or (device.type != "cuda" and str(device) not in {"cpu", "mps"}):  # torch takes "cpu:1" for the CPU
        raise SearchError(f"A device is 'cpu', 'cuda', 'cuda:N' or 'mps', got {quote(name)}.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SearchError("The device 'mps' is not there; it is the GPU of Apple's processors.")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise SearchError(
                f"The device {name!r} is not there; this machine has {count or 'no'} CUDA device{'s' * (count != 1)}."
            )
        return torch.device("cuda", device.index or 0)  # "cuda" and "cuda:0" are one device, and have one name
    return device


def visible_gpus() -> tuple[str, ...]:
    """The names, for CUDA_VISIBLE_DEVICES, of the GPUs that this process may use, in the order of their numbers in torch."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return tuple(named[:count] or map(str, range(count)))


def accelerator(device: torch.device) -> str | None:
    """The GPU's name; None for the CPU."""
    if device.type == "mps":
        return "Apple GPU"  # the processor's name says which
    return torch.cuda.get_device_name(device) if device.type == "cuda" else None


def place(model: nn.Module, device: torch.device) -> nn.Module:
    """`model` on `device`, its convolutions in the layout that is fastest there.

    On the CPU that is channels-last: 1.1 to 1.45 times faster training for networks of `residual_cnn`. A network that holds a
    tensor of five axes, as a convolution in 3-D does, stays as it is: torch has another layout for those, and refuses this one.
    """
    fits = not any(tensor.dim() == 5 for tensor in (*model.parameters(), *model.buffers()))
    if device.type == "cpu" and fits and not any(map(_overruns_in_channels_last, model.modules())):
        return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
    return model.to(device)


def _overruns_in_channels_last(module: nn.Module) -> bool:
    """Whether oneDNN's backward pass of `module` writes past its memory, which ends the process or leaves wrong gradients.

    It does for 1×1 convolutions with a stride from fewer channels than a register holds floats, 8 or 16
    (github.com/uxlfoundation/oneDNN/issues/6035).
    """
    if not isinstance(module, nn.Conv2d) or module.kernel_size != (1, 1):
        return False
    return max(module.stride) > 1 and module.in_channels // module.groups < 16


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Within it, what is drawn on the CPU and on `device` follows from `seed`; afterwards all is as it was."""
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        state = torch.mps.get_rng_state() if device.type == "mps" else None  # which fork_rng leaves alone
        if state is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if state is not None:
                torch.mps.set_rng_state(state)


def send(values: Tensor, device: torch.device) -> Tensor:
    """`values`, which lie in the host's memory, on `device`.

    CUDA takes a copy of them before this returns and does not wait for what the GPU was given before; Apple's GPU would read them
    later, when they may be gone.
    """
    return values.to(device, non_blocking=device.type == "cuda")


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Where the random numbers of the CPU, and of `device`, stand."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_states(device: torch.device, states: Mapping[str, Tensor]) -> None:
    """Let the random numbers go on from where `states` were taken."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps":
        torch.mps.set_rng_state(states["mps"])


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Within it, what is faster in `precision` and safe there is computed so."""
    return nullcontext() if precision == "float32" else torch.autocast(device.type, getattr(torch, precision))


def scaler(device: torch.device, precision: Precision) -> torch.amp.GradScaler:
    """What keeps small gradients of float16 above 0; elsewhere it does nothing (Micikevicius et al. 2018, arXiv:1710.03740)."""
    return torch.amp.GradScaler(device.type, enabled=precision == "float16")


def compiling_problem() -> str | None:
    """Why torch.compile cannot work here, and the way out; None where it can."""
    from torch._inductor.cpp_builder import get_cpp_compiler  # takes seconds to import
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        return "torch.compile needs a C++ compiler, and none is there; install one, such as g++."
    return None


def compiled(module: nn.Module, *, dynamic: bool | None = None) -> Callable[..., Any]:
    """`module` through torch.compile, which forgets what it compiled before.

    Else, of many networks of one class, torch compiles eight and calls all after them as they are, without a word; or, where its
    limit is lifted, as timm does when its optimisers are loaded, keeps them all and looks through them at every call.
    """
    torch._dynamo.reset()
    return torch.compile(module, dynamic=dynamic)


def free_bytes(device: torch.device) -> int | None:
    """Memory of `device` that nothing uses; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def allocated_peak_bytes(work: Callable[[], None], device: torch.device) -> int | None:
    """The most memory that CUDA's allocator gives out during `work`, beside what it has given before; None elsewhere."""
    if device.type != "cuda":
        return None
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device) - before)


def resident_bytes(*, peak: bool = False) -> int | None:
    """What of this process stands in memory, or the most that has since `forget_resident_peak`; None where the system has no
    such figure.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    found = re.search(r"^VmHWM:\s*(\d+) kB" if peak else r"^VmRSS:\s*(\d+) kB", status, re.MULTILINE)
    return int(found[1]) * 1_024 if found else None


def forget_resident_peak() -> bool:
    """Let the most that stood in memory begin anew at what does; whether the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was given; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def release(device: torch.device) -> None:
    """Give memory that no tensor uses back to the device.

    Of a CPU to the system: networks of all shapes, one after another, leave gaps that glibc would keep.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    elif (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's malloc_trim; None in another C library."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return None
    return found


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the device, or the host, had no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
