"""Training that begins from trained weights, and so takes a part of the epochs that finalists had."""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from nas.benchmark import Budget

Epochs = Annotated[int, Field(ge=1, le=10_000)]


def fine_tuning(final: Budget, epochs: int | None, part: int) -> Budget:
    """The budget of finalists with `epochs`, or with one in `part` of theirs where none are given."""
    return replace(final, epochs=epochs or max(1, final.epochs // part))
