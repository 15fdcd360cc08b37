"""The forms in which a network is handed over, each checked against the network itself before anybody can have it."""

import copy
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from nas.benchmark import Signature
from nas.errors import ExportError, NasError, did_you_mean, printable, quote
from nas.exporting.source import WEIGHTS, write_source
from nas.files import write_whole
from nas.models import Part
from nas.profiling import measure_latency, missing_for_onnx, quiet_exporter, session
from nas.records import Latency
from nas.training import write_tensors

Form = Literal["source", "program", "onnx"]

FORMS: tuple[Form, ...] = get_args(Form)

FILES: Mapping[Form, str] = {"source": "model.py", "program": "model.pt2", "onnx": "model.onnx"}

TOLERANCE = 1e-5
"""By how much an output may differ from the network's own, at most; of the largest output where that is above 1."""

BATCHES = (1, 3)
"""Sizes of the batches on which outputs are compared."""

Run = Callable[[Tensor], Tensor]
"""What a form gives for a batch."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A form that was written, and how it compares with the network itself."""

    form: Form
    file: str
    difference: float
    """The largest difference of an output, over batches of validation examples; in training too where it can be trained."""
    latency: Latency
    """Of one example, on this machine."""

    @property
    def trains(self) -> bool:
        """Whether it can be trained on."""
        return self.form == "source"


@dataclass(frozen=True, kw_only=True)
class Forms:
    """What came of writing a network down."""

    written: tuple[Written, ...]
    left_out: Mapping[Form, str]
    """Form → why it is not there."""
    latency: Latency
    """Of the network itself, measured beside its forms."""
    size_bytes: int
    """Of the file of weights."""


def check_forms(names: Iterable[str]) -> tuple[Form, ...]:
    """The forms of these names.

    Raises:
        ExportError: there is no such form.
    """
    named = tuple(names)
    for name in named:
        if name not in FORMS:
            raise ExportError(f"No form of a network is called {quote(name)}. {did_you_mean(name, FORMS)}")
    return tuple(form for form in FORMS if form in named)


def write_forms(
    network: nn.Module,
    signature: Signature,
    examples: Tensor,
    folder: Path,
    *,
    forms: Sequence[Form] | None = None,
    title: str,
    words: str = "",
    parts: tuple[Part, ...] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Forms:
    """Write `network`, on the CPU, into `folder`: its weights, and each of `forms`; without them all that can be.

    `examples` are real inputs, at least three; on them each form's outputs are compared with the network's. What is asked for by
    name and cannot be written is an error, else it is left out with its reason. `title`, `words` and `parts` are those of
    `write_source`.

    Raises:
        ExportError: a form that is asked for cannot be written, or gives other outputs.
    """
    network.eval()
    tensors: dict[str, Tensor] = dict(network.state_dict())
    written: list[Written] = []
    left_out: dict[Form, str] = {}
    base: nn.Module = network
    program: ExportedProgram | None = None
    for form in forms or FORMS:
        say(f"writing {FILES[form]}")
        path = folder / FILES[form]
        try:
            if form == "source":
                source = write_source(network, signature, title=title, words=words, parts=parts)
                write_tensors({**tensors, **source.constants}, folder / WEIGHTS)
                write_whole(source.text.encode(), path)
                base = load_source(folder)
                run: Run = base
                difference = max(_compare(network, base, examples), _compare_training(network, base, examples))
            elif form == "program":
                program = _program(base, examples)
                run = _write_program(program, path)
                difference = _compare(network, run, examples)
            else:
                run = _write_onnx(program or base, examples, path)
                difference = _compare(network, run, examples)
            say(f"timing {FILES[form]}")
            latency = _latency(run, network, examples[:1], "onnxruntime" if form == "onnx" else "eager")
            written.append(Written(form=form, file=path.name, difference=difference, latency=latency))
        except ExportError as error:
            path.unlink(missing_ok=True)
            told = str(error) if path.name in str(error) else f"{path.name} cannot be written: {error}"
            if forms is not None:
                raise ExportError(told) from error
            left_out[form] = told
    if not (folder / WEIGHTS).exists() or "source" in left_out:
        write_tensors(tensors, folder / WEIGHTS)
    return Forms(
        written=tuple(written),
        left_out=left_out,
        latency=_latency(network, network, examples[:1], "eager"),
        size_bytes=(folder / WEIGHTS).stat().st_size,
    )


def load_source(folder: Path) -> nn.Module:
    """The network that the file of source in `folder` loads.

    Raises:
        ExportError: it loads none.
    """
    path = folder / FILES["source"]
    scope: dict[str, Any] = {"__name__": "model", "__file__": str(path)}
    try:
        exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), scope)  # noqa: S102 - we have written it
        network = scope["load"]()
    except Exception as error:  # taken from classes that may do anything
        raise _unlike("source", error) from error
    assert isinstance(network, nn.Module)  # noqa: S101 - that is what `load` gives
    return network


def _program(network: nn.Module, examples: Tensor) -> ExportedProgram:
    """What torch.export makes of it, for batches of any size; where it stood in files is taken out.

    Raises:
        ExportError: it makes nothing.
    """
    try:
        program = torch.export.export(network, (examples[:2],), dynamic_shapes=({0: Dim("batch")},))
    except Exception as error:  # anything may come out of somebody's forward under tracing
        raise _unlike("program", error) from error
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            node.meta.pop("stack_trace", None)
    return program


def _write_program(program: ExportedProgram, path: Path) -> Run:
    buffer = io.BytesIO()
    try:
        torch.export.save(program, buffer)
        write_whole(buffer.getvalue(), path)
        module = torch.export.load(path).module()
    except Exception as error:  # an operator may have no form in files
        raise _unlike("program", error) from error
    return module


def _write_onnx(network: ExportedProgram | nn.Module, examples: Tensor, path: Path) -> Run:
    """The network as an ONNX graph, for batches of any size.

    Raises:
        ExportError: the packages for it are not there, or it cannot be one.
    """
    if missing := missing_for_onnx():
        raise ExportError(f"{FILES['onnx']} {missing}")
    shapes = None if isinstance(network, ExportedProgram) else ({0: Dim("batch")},)
    given = (examples[:2],)
    try:
        with quiet_exporter():
            made: Any = torch.onnx.export(
                network,
                given,
                dynamo=True,
                verbose=False,
                input_names=["input"],
                output_names=["output"],
                dynamic_shapes=shapes,
            )
        proto = made.model_proto
        for node in [*proto.graph.node, *(node for function in proto.functions for node in function.node)]:
            del node.metadata_props[:]  # where it stood in files
        graph = proto.SerializeToString()
        running = session(graph)
    except Exception as error:  # an operator may have no form in ONNX
        raise _unlike("onnx", error) from error
    write_whole(graph, path)
    name = running.get_inputs()[0].name
    return lambda inputs: torch.from_numpy(running.run(None, {name: inputs.numpy()})[0])


def _compare(network: nn.Module, run: Run, examples: Tensor) -> float:
    """The largest difference of an output.

    Raises:
        ExportError: it is more than rounding explains.
    """
    differences = []
    with torch.no_grad():
        for size in (*BATCHES, len(examples)):
            try:
                given = run(examples[:size])
            except Exception as error:
                raise ExportError(f"It fails on a batch of {size}: {_first_line(error)}") from error
            differences.append(_difference(network(examples[:size]), given, f"on a batch of {size}"))
    return max(differences)


def _compare_training(network: nn.Module, other: nn.Module, examples: Tensor) -> float:
    """The largest difference of an output in training mode, from equal random numbers; both stay as they are.

    Raises:
        ExportError: it is more than rounding explains, or weights have other names.
    """
    own, theirs = network.state_dict(), other.state_dict()
    if {name: tuple(one.shape) for name, one in own.items()} != {name: tuple(one.shape) for name, one in theirs.items()}:
        raise ExportError("Its weights have other names or shapes than the network's.")
    outputs = []
    for one in (network, other):
        training = copy.deepcopy(one).train()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            outputs.append(training(examples).detach())
    return _difference(outputs[0], outputs[1], "in training")


def _difference(expected: Tensor, given: Tensor, where: str) -> float:
    if expected.shape != given.shape:
        raise ExportError(f"It gives {tuple(given.shape)} {where}, where the network gives {tuple(expected.shape)}.")
    difference = float((expected - given).abs().max())
    allowed = TOLERANCE * max(1.0, float(expected.abs().max()))
    if not difference <= allowed or math.isnan(difference):
        raise ExportError(
            f"It gives other outputs than the network {where}, by {difference:.2g}, where {allowed:.2g} is rounding."
        )
    return difference


class _Runs(nn.Module):
    """What runs as a module, of which nothing is a part."""

    def __init__(self, run: Run, like: nn.Module) -> None:
        super().__init__()
        self._run = [run]
        first = next((one for one in like.parameters() if one.is_floating_point()), None)
        self.register_parameter("like", None if first is None else nn.Parameter(torch.empty(0, dtype=first.dtype)))

    def forward(self, inputs: Tensor) -> Tensor:
        """What it gives."""
        return self._run[0](inputs)


def _latency(run: Run, network: nn.Module, inputs: Tensor, backend: str) -> Latency:
    model = run if isinstance(run, nn.Module) and backend == "eager" and not _fixed(run) else _Runs(run, network)
    return replace(measure_latency(model, inputs), backend=backend)


def _fixed(run: nn.Module) -> bool:
    """Whether it is a program, which has no modes."""
    return isinstance(run, torch.fx.GraphModule)


def _unlike(form: Form, error: Exception) -> ExportError:
    if isinstance(error, NasError):
        return ExportError(str(error))
    return ExportError(f"{FILES[form]} cannot be made of this network ({_first_line(error)}); name other --formats.")


def _first_line(error: Exception) -> str:
    text = printable(" ".join(str(error).split()))
    home = str(Path.home())
    return f"{type(error).__name__}: {text.replace(home, '~') if len(home) > 1 else text}"[:200]
