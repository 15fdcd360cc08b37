"""What a generator makes of the same noise as it learns: a few pictures after the first epoch, halfway, and at the end.

Axes: S moments, N pictures, C channels, H height, W width, F numbers of a row.
"""

import base64
import io

import torch
from torch import Tensor, nn
from torch.nn import functional

from nas.records import Picture

COLUMNS, ROWS = 10, 4
"""Of pictures on one sheet, at the most."""

GREY = 128
"""Between two pictures."""


class Samples:
    """Sheets of pictures of a training of so many `epochs`; its `kept` tensors go through checkpoints."""

    def __init__(self, epochs: int, latent: int) -> None:
        """Rows are `latent` numbers of noise, then the class, if any."""
        self.moments = tuple(dict.fromkeys((1, (epochs + 1) // 2, epochs)))
        self.latent = latent
        self.kept: dict[str, Tensor] = {}

    @torch.inference_mode()
    def take(self, generator: nn.Module, rows_NF: Tensor) -> None:
        """Note what `generator` makes of `rows_NF` after one more epoch; an epoch that is none of the moments may be the last."""
        epoch = self.epoch + 1
        shown_NF, columns = self.shown(rows_NF)
        images_NCHW = generator.eval()(shown_NF)
        pixels_NCHW = images_NCHW.float().add(1).mul(127.5).nan_to_num(0).round().clamp(0, 255).to(torch.uint8).cpu()
        for name in {*self.kept} - {f"after {moment}" for moment in self.moments}:
            del self.kept[name]
        self.kept |= {f"after {epoch}": _sheet(pixels_NCHW, columns), "epoch": torch.tensor(epoch)}

    @property
    def epoch(self) -> int:
        """How many there were."""
        return int(self.kept["epoch"]) if "epoch" in self.kept else 0

    def shown(self, rows_NF: Tensor) -> tuple[Tensor, int]:
        """As many rows as a sheet has room for, and its columns; where rows name classes, a class a column, as many of each."""
        classes = rows_NF.shape[1] - self.latent
        if not classes:
            return rows_NF[: ROWS * COLUMNS], min(COLUMNS, len(rows_NF))
        named_N = rows_NF[:, self.latent :].argmax(1)
        of_each = [(named_N == number).nonzero().flatten()[:ROWS] for number in range(min(classes, COLUMNS))]
        least = max(1, min(map(len, of_each)))
        full = [numbers[:least] for numbers in of_each if len(numbers) >= least]
        return rows_NF[torch.stack(full, dim=1).flatten()], len(full)

    def pictures(self) -> tuple[Picture, ...]:
        """The sheets, in the order in which they were taken."""
        sheets = {int(name.removeprefix("after ")): sheet for name, sheet in self.kept.items() if name != "epoch"}
        return tuple(Picture(title=f"epoch {epoch}", png=_png(sheets[epoch])) for epoch in sorted(sheets))


def _sheet(pixels_NCHW: Tensor, columns: int) -> Tensor:
    """Pictures side by side, row by row, each with a line of grey below and to its right."""
    whole = len(pixels_NCHW) // columns * columns
    framed_NCHW = functional.pad(pixels_NCHW[:whole], (0, 1, 0, 1), value=GREY)
    rows_RKCHW = framed_NCHW.reshape(-1, columns, *framed_NCHW.shape[1:])
    sheet_CHW: Tensor = rows_RKCHW.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2).contiguous()
    return sheet_CHW


def _png(sheet_CHW: Tensor) -> str:
    """A sheet as a PNG in base64, in grey or in colour."""
    from PIL import Image  # needed for finalists alone

    of_colour = len(sheet_CHW) == 3
    numbers = sheet_CHW.permute(1, 2, 0).numpy() if of_colour else sheet_CHW[0].numpy()
    file = io.BytesIO()
    Image.fromarray(numbers).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
