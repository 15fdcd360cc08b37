"""A network as one file of plain PyTorch: its classes, what makes it, and what reads its weights."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas.benchmark import Features, Image, Modalities, NextTokens, Query, Shape, Signature, Tokens, Waveform
from nas.benchmark import Sequence as SequenceShape
from nas.errors import ExportError
from nas.exporting.expressions import Expression, Name, render
from nas.exporting.lifting import Book, imports_text
from nas.exporting.modules import Modules
from nas.models import Fork, Graph, Part, Step, module_name
from nas.training.packing import unpacked

WEIGHTS = "weights.safetensors"

RESERVED = ("network", "load", "read_tensors", "example", "CONSTANTS", "CLASSES")
"""What the file itself calls something."""


@dataclass(frozen=True)
class Source:
    """What `write_source` gives."""

    text: str
    constants: Mapping[str, Tensor]
    """Numbers of the network that are no weights, and too many to be written out; they lie in the file of weights too."""


def write_source(
    network: nn.Module,
    signature: Signature,
    *,
    title: str,
    words: str = "",
    parts: tuple[Part, ...] = (),
    classes: Sequence[str] = (),
    packed: bool = False,
) -> Source:
    """The file that makes `network`, in plain PyTorch: `network()`, and `load()` which reads its weights.

    `title` is the first line of what the file says of itself, `words` the rest; `parts` is the plan, whose shapes are told;
    `classes` are the names of the outputs. Weights that are `packed` in their file are unpacked as they are read.

    Raises:
        ExportError: a module cannot be written as source; names it.
    """
    _refuse_shared(network)
    book = Book(RESERVED)
    modules = Modules(book)
    if isinstance(network, nn.Sequential):
        made = modules.sequential(network, "", {module_name(part.path): _remark(part) for part in parts})
    else:
        made = modules.expression(network, "")
    modules.finish()
    unpack = book.lift(unpacked) if packed else ""
    for name in ("json", "torch"):
        book.need(name)
    book.need("pathlib", "Path")
    book.need("torch", "nn")
    book.need("torch", "Tensor")
    return Source(_file(book, made, signature, modules.constants, title, words, classes, unpack), modules.constants)


def _file(
    book: Book,
    made: Expression,
    signature: Signature,
    constants: Mapping[str, Tensor],
    title: str,
    words: str,
    classes: Sequence[str],
    unpack: str,
) -> str:
    legend = book.legend()
    axes = textwrap.fill(f"Axes: {legend}.", 100) if legend else ""
    about = _held("\n\n".join(part for part in (title, words, axes) if part))
    given, gives = _batch(signature.input), _batch(signature.output)
    network = f'''def network() -> nn.Module:
    """The network, its weights drawn at random: {given} → {gives}."""
    return {render(made, 4, 7)}'''
    pieces = [
        f'"""{about}\n"""' if "\n" in about else f'"""{about}"""',
        imports_text(book.imports),
        *([_classes(classes)] if classes else []),
        ("" if book.values else "\n\n") + book.text(),
        "\n\n" + network,
        "\n\n" + _load(constants, unpack),
        "\n\n" + _READ,
        "\n\n" + _example(signature.input),
        "\n\n" + _MAIN,
    ]
    return "\n\n".join(piece.rstrip("\n") for piece in pieces).replace("\n\n\n\n", "\n\n\n") + "\n"


_LOAD = '''def load(weights: Path | str | None = None) -> nn.Module:
    """The network with its weights, in evaluation mode; they are read from {weights} if no file is given."""
    model = network()
    tensors = read_tensors(Path(weights or Path(__file__).with_name("{weights}")))
    {fill}
    return model.eval()'''

_CONSTANTS = '''CONSTANTS = ({names},)
"""Numbers of the network that are no weights; they lie in the file of weights too."""


'''

_READ = '''def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name: the header's length, the header in JSON, then the numbers."""
    types = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    types |= {"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8}
    types |= {"U8": torch.uint8, "BOOL": torch.bool}
    data = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            numbers = data[begin + first : begin + last]
            flat = torch.frombuffer(numbers, dtype=types[entry["dtype"]]) if numbers else torch.empty(0)
            tensors[name] = flat.reshape(entry["shape"])
    return tensors'''

_MAIN = """if __name__ == "__main__":
    with torch.no_grad():
        outputs = load()(example())
    print(tuple(outputs.shape))"""


def _load(constants: Mapping[str, Tensor], unpack: str) -> str:
    """The function that reads the weights, by the function called `unpack` where they are packed."""
    copied = ["for name in CONSTANTS:", "    model.get_buffer(name).copy_(tensors.pop(name))"] if constants else []
    fill = [*copied, f"model.load_state_dict({f'{unpack}(tensors, model.state_dict())' if unpack else 'tensors'})"]
    before = _CONSTANTS.format(names=_names(constants)) if constants else ""
    return before + _LOAD.format(weights=WEIGHTS, fill="\n    ".join(fill))


def _example(shape: Shape) -> str:
    axes = ", ".join(map(str, shape.axes))
    if isinstance(shape, Tokens):
        made = f"torch.randint({shape.vocabulary}, (batch_size, {axes}))"
    elif isinstance(shape, Query):
        ids = (f"torch.randint({count}, (batch_size,))" for count in (shape.entities, 2 * shape.relations))
        made = f"torch.stack([{', '.join(ids)}], dim=1)"
    else:
        made = f"torch.rand(batch_size, {axes})"
    return f'''def example(batch_size: int = 1) -> Tensor:
    """Random inputs of the right shape and type, which mean nothing: {_batch(shape)}."""
    return {made}'''


def _batch(shape: Shape) -> str:
    """A batch of `shape` in words."""
    axes = f"(N, {', '.join(map(str, shape.axes))})"
    if isinstance(shape, Tokens):
        return f"{axes} token ids below {shape.vocabulary:,}"
    if isinstance(shape, Query):
        return f"{axes} ids of an entity below {shape.entities:,} and of a relation below {2 * shape.relations:,}"
    if isinstance(shape, Waveform):
        return f"{axes} samples at {shape.rate:,} Hz"
    if isinstance(shape, Modalities):
        return f"{axes}, {shape}"
    if isinstance(shape, NextTokens):
        return f"{axes} logits of the next tokens"
    return axes


def _held(text: str) -> str:
    """`text` as it stands in a docstring, which it cannot end: titles and words may come from somebody else's ledger."""
    return re.sub(r'"(?="|\Z)', r'\\"', text.replace("\\", "\\\\").replace("\0", ""))


def _classes(names: Sequence[str]) -> str:
    """What the outputs are called, as a constant; what is not printable is escaped."""
    told = tuple(Name(json.dumps(name, ensure_ascii=False) if name.isprintable() else repr(name)) for name in names)
    return f'CLASSES = {render(told, 0, 10)}\n"""What the outputs stand for, in their order."""'


def _names(constants: Mapping[str, Tensor]) -> str:
    return ", ".join(f'"{name}"' for name in constants)


def _remark(part: Part) -> str:
    """What comes out after a part of the network."""
    if isinstance(part, Step):
        what = ""
    elif isinstance(part, Fork):
        what = f"{len(part.branches)} branches, merged by {part.merge}; "
    else:
        assert isinstance(part, Graph)  # noqa: S101 - there is no other
        what = f"a cell of {part.nodes} nodes; "
    return f"{what}→ {_shape(part.gives)}"


def _shape(shape: Shape) -> str:
    if isinstance(shape, Image):
        return f"{shape.channels} × {shape.height} × {shape.width}"
    if isinstance(shape, SequenceShape):
        return f"{shape.length} positions × {shape.channels}"
    return f"{shape.count} numbers" if isinstance(shape, Features) else str(shape)


def _refuse_shared(network: nn.Module) -> None:
    """Refuse weights or modules that stand in two places, which an expression would make twice.

    Raises:
        ExportError: there are some; names one.
    """
    seen: dict[int, str] = {}
    for name, one in [*network.named_modules(remove_duplicate=False), *network.named_parameters(remove_duplicate=False)]:
        if id(one) in seen and not isinstance(one, torch.Tensor):
            raise ExportError(f"The module {name} is also {seen[id(one)]}; source that makes one of them twice would untie them.")
        if id(one) in seen:
            raise ExportError(f"The weight {name} is also {seen[id(one)]}; source that makes both would untie them.")
        seen[id(one)] = name
