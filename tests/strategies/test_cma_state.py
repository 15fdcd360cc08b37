"""CMA-ES goes on over a break, and nothing of the ledger is unpickled."""

import json
import pickle
from typing import Any

import numpy as np
import pytest

from nas.strategies.cma_state import with_pickles, without_pickles

cmaes = pytest.importorskip("cmaes")

BOUNDS = np.array([[0.0, 1.0]] * 3)
KINDS = {
    "cma": lambda: cmaes.CMA(mean=np.full(3, 0.5), sigma=0.3, bounds=BOUNDS, seed=1),
    "sepcma": lambda: cmaes.SepCMA(mean=np.full(3, 0.5), sigma=0.3, bounds=BOUNDS, seed=1),
}


def told(optimizer: Any, generations: int) -> Any:
    """The optimiser after some generations, whose cost is the distance from a corner."""
    for generation in range(generations):
        optimizer._rng.seed(generation)
        asked = [optimizer.ask() for _ in range(optimizer.population_size)]
        optimizer.tell([(x, float((x**2).sum())) for x in asked])
    return optimizer


def pickled(kind: str, optimizer: Any, length: int = 2_045) -> dict[str, str]:
    """As Optuna notes it, in parts."""
    whole = pickle.dumps(optimizer).hex()
    return {f"{kind}:optimizer:{n}": whole[at : at + length] for n, at in enumerate(range(0, len(whole), length))}


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimiser_goes_through_json_and_draws_on_to_the_last_digit(kind: str):
    optimizer = pickle.loads(pickle.dumps(told(KINDS[kind](), 5)))  # noqa: S301 - which makes its matrix symmetric
    kept = without_pickles({**pickled(kind, optimizer), f"{kind}:generation": 5})
    assert set(kept) == {f"{kind}:state", f"{kind}:generation"}
    given = with_pickles(json.loads(json.dumps(kept, allow_nan=False)))
    assert set(given) == {f"{kind}:optimizer:0", f"{kind}:generation"}
    again = pickle.loads(bytes.fromhex(given[f"{kind}:optimizer:0"]))  # noqa: S301
    assert type(again) is type(optimizer)
    assert all(np.array_equal(found, value) for found, value in zip(*map(drawn, (again, optimizer)), strict=True))


def drawn(optimizer: Any) -> list[Any]:
    """What comes next of two generations more."""
    told(optimizer, 2)
    optimizer._rng.seed(9)
    return [optimizer._mean, optimizer._sigma, np.concatenate([np.ravel(optimizer.ask()[0]) for _ in range(3)])]


def test_a_pickle_from_elsewhere_is_left_out():
    class Evil:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("unpickled",))

    assert with_pickles({**pickled("cma", Evil()), "x_for_tell": [1.0]}) == {"x_for_tell": [1.0]}


def test_an_optimiser_of_another_kind_is_not_kept():
    optimizer = cmaes.CMAwM(mean=np.full(3, 0.5), sigma=0.3, bounds=BOUNDS, steps=np.array([0.0, 0.1, 0.0]), seed=1)
    assert without_pickles({**pickled("cmawm", optimizer), "cmawm:generation": 2}) == {"cmawm:generation": 2}
