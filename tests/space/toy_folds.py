"""A fold whose costs depend on all that a fold can see, and what it makes of an architecture by hand."""

from nas.errors import ModelError
from nas.space import CellSpec, LayerSpec


def number(value: object) -> int:
    """Different for all values that random spaces have."""
    return {type(None): 0, bool: 2, str: 5}.get(type(value), 9) + int(3 * value if isinstance(value, int | float) else 0)


class ToyFold:
    """The state is a number, as of channels."""

    figures = ("params", "flops")

    def __init__(self, *inert: str) -> None:
        self.without = inert

    def begin(self) -> int:
        return 1

    def layer(self, state: int, kind: str, options: dict[str, object]) -> tuple[int, tuple[int, int]]:
        numbers = {key: number(value) for key, value in options.items() if key not in self.without}
        width = (numbers.get("width", 0) + state) % 5
        if width == 3 and numbers.get("size") == 10:
            raise ModelError("too small.")
        return width, (state * width + sum(numbers.values()), 7 - width)

    def join(self, given: int, ends: tuple[int, ...], merge: str | None) -> int:
        if merge == "multiply" and len(set(ends)) > 1:
            raise ModelError("different.")
        return sum(ends) % 5 if merge == "concatenate" else max(*ends, given) if merge is None else ends[0]

    def end(self, state: int) -> None:
        if state == 4:
            raise ModelError("ends in 4.")

    def inert(self, kind: str, option: str) -> bool:
        return option in self.without


def cost_by_hand(space, architecture, fold):
    """What `architecture` costs, from its blueprint; None where a layer does not fit."""

    def sequence(specs, state):
        params = flops = 0
        for spec in specs:
            if isinstance(spec, LayerSpec):
                state, costs = fold.layer(state, spec.kind, spec.options)
                params, flops = params + costs[0], flops + costs[1]
                continue
            ends = []
            for inside in (spec.edges if isinstance(spec, CellSpec) else spec.branches).values():
                end, costs = sequence(inside, state)
                ends.append(end)
                params, flops = params + costs[0], flops + costs[1]
            state = fold.join(state, tuple(ends), None if isinstance(spec, CellSpec) else spec.merge)
        return state, (params, flops)

    try:
        state, costs = sequence(space.blueprint(architecture), fold.begin())
        fold.end(state)
    except ModelError:
        return None
    return costs
