"""The forms in which a network is handed over, each checked against the network itself before anybody can have it."""

import copy
import io
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from nas.benchmark import Signature
from nas.errors import ExportError, NasError, did_you_mean, printable, quote
from nas.exporting.source import WEIGHTS, Source, write_source
from nas.files import write_whole
from nas.models import Part
from nas.profiling import measure_latency, missing_for_onnx, quiet_exporter, session
from nas.records import Latency
from nas.training import write_tensors
from nas.training.packing import lossless

Form = Literal["source", "program", "onnx"]

FORMS: tuple[Form, ...] = get_args(Form)

FILES: Mapping[Form, str] = {"source": "model.py", "program": "model.pt2", "onnx": "model.onnx"}

TOLERANCE = 1e-5
"""By how much an output may differ from the network's own, at most; of the largest output where that is above 1."""

BATCHES = (1, 3)
"""Sizes of the batches on which outputs are compared."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

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
    packed: bool | None = None
    """Whether weights that were to be packed in it are; None where they were not to be."""


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
    classes: Sequence[str] = (),
    packed: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Forms:
    """Write `network`, on the CPU, into `folder`: its weights, and each of `forms`; without them all that can be.

    Where the weights are to be `packed`, and source is written, which unpacks them, their file is as small as holds them exactly.

    `examples` are real inputs, at least three; on them each form's outputs are compared with the network's. What is asked for by
    name and cannot be written is an error, else it is left out with its reason. `title`, `words`, `parts` and `classes` are
    those of `write_source`.

    Raises:
        ExportError: a form that is asked for cannot be written, or gives other outputs.
    """
    network.eval()
    written: list[Written] = []
    left_out: dict[Form, str] = {}
    base, source, program = network, None, None
    try:
        source = write_source(network, signature, title=title, words=words, parts=parts, classes=classes, packed=packed)
        base = make(source, network)
    except ExportError as error:
        left_out["source"] = str(error)
    run: Run
    for form in forms or FORMS:
        path = folder / FILES[form]
        say(f"writing {path.name}")
        try:
            if form == "source":
                if source is None or form in left_out:
                    raise ExportError(left_out[form])
                run = loaded = _write_source(source, lossless(network) if packed else network.state_dict(), folder)
                difference = max(_compare(network, run, examples), _compare_training(network, loaded, examples))
            elif form == "program":
                program = _program(base, examples)
                run = _write_program(program, path)
                difference = _compare(network, run, examples)
            else:
                _refuse_projections(network)
                run = _write_onnx(program or base, examples, path)
                difference = _compare(network, run, examples)
        except ExportError as error:
            path.unlink(missing_ok=True)
            told = str(error) if path.name in str(error) else f"{path.name} cannot be written: {error}"
            if forms is not None:
                raise ExportError(told) from error
            left_out[form] = told
            continue
        say(f"timing {path.name}")
        latency = _latency(run, network, examples[:1], "onnxruntime" if form == "onnx" else "eager")
        written.append(Written(form=form, file=path.name, difference=difference, latency=latency))
    if "source" not in {one.form for one in written}:
        write_tensors(network.state_dict(), folder / WEIGHTS)
    return Forms(
        written=tuple(written),
        left_out={form: reason for form, reason in left_out.items() if form in (forms or FORMS)},
        latency=_latency(network, network, examples[:1], "eager"),
        size_bytes=(folder / WEIGHTS).stat().st_size,
        packed=any(one.form == "source" for one in written) if packed else None,
    )


def load_source(folder: Path) -> nn.Module:
    """The network that the file of source in `folder` loads.

    Raises:
        ExportError: it loads none.
    """
    path = folder / FILES["source"]
    try:
        network = _scope(path.read_text(encoding="utf-8"), path)["load"]()
    except Exception as error:  # taken from classes that may do anything
        raise _unlike("source", error) from error
    assert isinstance(network, nn.Module)  # noqa: S101 - that is what `load` gives
    return network


def make(source: Source, network: nn.Module) -> nn.Module:
    """The network that `source` makes, with the weights of `network`, in evaluation mode.

    Raises:
        ExportError: it makes none, or one with other weights.
    """
    try:
        made = _scope(source.text, Path(FILES["source"]))["network"]()
        for name, value in source.constants.items():
            made.get_buffer(name).copy_(value)
        made.load_state_dict(network.state_dict())
    except Exception as error:  # taken from classes that may do anything
        raise _unlike("source", error) from error
    assert isinstance(made, nn.Module)  # noqa: S101 - that is what `network` gives
    return made.eval()


def _scope(text: str, path: Path) -> dict[str, Any]:
    """What the file of source defines; no file of bytecode is left."""
    scope: dict[str, Any] = {"__name__": "model", "__file__": str(path)}
    exec(compile(text, path.name, "exec"), scope)  # noqa: S102 - we have written it
    return scope


def _write_source(source: Source, weights: Mapping[str, Tensor], folder: Path) -> nn.Module:
    """The network as it is loaded from the files that this writes."""
    write_tensors({**weights, **source.constants}, folder / WEIGHTS)
    write_whole(source.text.encode(), folder / FILES["source"])
    return load_source(folder)


def _program(network: nn.Module, examples: Tensor) -> ExportedProgram:
    """What torch.export makes of it, for batches of any size; where it stood in files is taken out.

    Raises:
        ExportError: it makes nothing.
    """
    try:
        with quiet_exporter():  # a recurrence sets its weights anew as it is traced, which torch warns of
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


def _refuse_projections(network: nn.Module) -> None:
    """Refuse what ONNX's LSTM lacks, which the exporter would write wrongly.

    Raises:
        ExportError: an LSTM brings its state down.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.LSTM) and module.proj_size:
            raise ExportError(f"ONNX's LSTM has no projection, and {name} has one.")


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


def _first_line(error: BaseException) -> str:
    """What went wrong at bottom, on one line and short."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = printable(_COLOURS.sub("", " ".join(str(error).split())))
    home = str(Path.home())
    return f"{type(error).__name__}: {text.replace(home, '~') if len(home) > 1 else text}"[:200]
