"""The folder that a network is taken home in: there whole, or not at all."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from nas.errors import ExportError
from nas.exporting.card import Origin, all_files, card, figures_data, requirements, source_words
from nas.exporting.forms import Form, Forms, write_forms
from nas.files import whole_folder
from nas.models import Part

FEWEST = 3
"""Examples that outputs are compared on."""


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """A folder that was written."""

    folder: Path
    origin: Origin
    forms: Forms
    files: tuple[str, ...]


def hand_over(
    network: nn.Module,
    origin: Origin,
    examples: Tensor,
    folder: Path,
    *,
    forms: Sequence[Form] | None = None,
    parts: tuple[Part, ...] = (),
    packed: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> HandedOver:
    """Write `network`, which is on the CPU, into `folder` with its card; `examples` are real inputs, at least three.

    Without `forms` all that can be are written, and the card says why one is not there. `packed` is that of `write_forms`.
    `say` is told what is under way.

    Raises:
        ExportError: a form that is asked for cannot be written, or gives other outputs; or the folder cannot be written.
        PathError: there is something at `folder` already.
    """
    if len(examples) < FEWEST:
        raise ExportError(f"Outputs are compared on at least {FEWEST} examples, got {len(examples)}.")
    try:
        with whole_folder(folder) as unfinished:
            written = write_forms(
                network,
                origin.benchmark.signature,
                examples,
                unfinished,
                forms=forms,
                title=f"{origin.title}.",
                words=source_words(origin),
                parts=parts,
                classes=origin.benchmark.classes,
                packed=packed,
                say=say,
            )
            (unfinished / "README.md").write_text(card(origin, written, examples), encoding="utf-8")
            data = json.dumps(figures_data(origin, written), indent=1, allow_nan=False)
            (unfinished / "figures.json").write_text(f"{data}\n", encoding="utf-8")
            (unfinished / "requirements.txt").write_text(requirements(torch.__version__), encoding="utf-8")
    except OSError as error:
        raise ExportError(f"{folder.resolve().name} cannot be written: {error.strerror}.") from error
    return HandedOver(folder=folder, origin=origin, forms=written, files=tuple(all_files(written)))
