"""What runs a pass: torch as it is, torch.compile, a CUDA graph, or ONNX Runtime; checked against torch before it is timed."""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from nas.device import compiled, synchronize
from nas.errors import SearchError, did_you_mean, quote
from nas.profiling.timing import Run

Given = Tensor | tuple[Tensor, ...]
"""What forward takes: a batch, or several arguments, the batch's axis first."""

Backend = Literal["eager", "compile", "cuda_graph", "onnxruntime"]

_TOLERANCE: Mapping[str, float] = MappingProxyType({"float32": 1e-3, "float64": 1e-6})
"""Of outputs, as a share of the largest; other formats of numbers 5 %."""


def prepare(model: nn.Module, inputs: Given, backend: Backend = "eager") -> Run:
    """What does one pass of `model`, in evaluation mode, on `inputs`; to be called without gradients.

    What preparing costs (compiling, capturing, exporting) is no part of a pass. Where `inputs` change in place, eager, compiled
    and captured passes see it; ONNX Runtime keeps what it was given.

    Raises:
        SearchError: there is no such backend, it is not installed, it cannot run the network, or it gives other outputs.
    """
    if backend not in get_args(Backend):
        raise SearchError(f"No backend is called {quote(backend)}. {did_you_mean(backend, get_args(Backend))}")
    given = arguments(inputs)
    if backend == "eager":
        return lambda: model(*given)
    with torch.no_grad():
        run = {"compile": _compiled, "cuda_graph": _captured, "onnxruntime": _exported}[backend](model, given)
        _compare(model(*given), run(), backend)
    return run


def arguments(inputs: Given) -> tuple[Tensor, ...]:
    """`inputs` as what to call a network with."""
    return (inputs,) if isinstance(inputs, Tensor) else inputs


def _compiled(model: nn.Module, inputs: tuple[Tensor, ...]) -> Run:
    """By inductor."""
    from torch._dynamo.exc import BackendCompilerFailed
    from torch._inductor.exc import InductorError, InvalidCxxCompiler

    run = compiled(model, dynamic=False)
    try:
        run(*inputs)
    except (InvalidCxxCompiler, BackendCompilerFailed, InductorError) as error:
        if "InvalidCxxCompiler" in str(error) or isinstance(error, InvalidCxxCompiler):
            raise SearchError(
                "The backend 'compile' needs a C++ compiler, and there is none; install g++ or take 'eager'."
            ) from None
        raise _refused("compile", error) from error
    return lambda: run(*inputs)


def _captured(model: nn.Module, inputs: tuple[Tensor, ...]) -> Run:
    """The kernels of one pass, recorded once and launched together: what is left is what the device does."""
    device = inputs[0].device
    if device.type != "cuda":
        raise SearchError(
            f"The backend 'cuda_graph' needs a CUDA device, got {quote(str(device))}; take 'eager' or 'compile' here."
        )
    side = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.device(device), torch.cuda.stream(side):
        for _ in range(3):  # libraries choose their kernels and take their memory before anything is recorded
            model(*inputs)
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.device(device), torch.cuda.graph(graph):
        outputs = model(*inputs)

    def run() -> object:
        graph.replay()
        return outputs

    return run


def missing_for_onnx() -> str | None:
    """What is not installed of what makes and runs ONNX graphs, and how to have it; None where all is."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    return f"needs {' and '.join(missing)}, not installed here; pip install 'nas-harness[onnx]'." if missing else None


def session(graph: bytes) -> Any:
    """ONNX Runtime's session of a graph on the CPU, with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Within it torch's exporters keep their chatter and their warnings out of the terminal."""
    chatter = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in chatter]
    for one in chatter:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(chatter, levels, strict=True):
            one.setLevel(level)


def _exported(model: nn.Module, inputs: tuple[Tensor, ...]) -> Run:
    if missing := missing_for_onnx():
        raise SearchError(f"The backend 'onnxruntime' {missing}")
    if inputs[0].device.type != "cpu":
        raise SearchError(f"The backend 'onnxruntime' runs on the CPU, got {quote(str(inputs[0].device))}; take --device cpu.")
    try:
        with quiet_exporter():
            program: Any = torch.onnx.export(model, inputs, dynamo=True, verbose=False)
    except torch.onnx.errors.OnnxExporterError as error:
        raise _refused("onnxruntime", error) from error
    graph = session(bytes(program.model_proto.SerializeToString()))
    names = [given.name for given in graph.get_inputs()]
    feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
    return lambda: graph.run(None, feed)


def _refused(backend: str, error: Exception) -> SearchError:
    return SearchError(f"The backend {backend!r} cannot run this network ({type(error).__name__}); take 'eager'.")


def _compare(expected: object, given: object, backend: str) -> None:
    """Hold the outputs of `backend` to torch's.

    Raises:
        SearchError: they differ by more than rounding explains.
    """
    for ours, theirs in zip(tree_leaves(expected), tree_leaves(given), strict=True):
        synchronize(ours.device)
        other = torch.as_tensor(theirs, device=ours.device)
        scale = float(ours.abs().max()) or 1.0
        difference = float((ours - other).abs().max()) / scale if ours.shape == other.shape else float("inf")
        allowed = _TOLERANCE.get(str(ours.dtype).removeprefix("torch."), 0.05)
        if not difference <= allowed:
            raise SearchError(
                f"The backend {backend!r} gives other outputs than torch, by {difference:.2g} of the largest, where {allowed:g} "
                "is rounding: its time would be that of another network; take 'eager'."
            )
