"""Scores against those that others have published for the same networks, with code and weights of their own."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from nas.benchmark import Features, Image, Signature
from nas.models import build
from nas.proxies import Batch, score_network
from nas.space import resolve_space

TABLE = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / "shared/data") / "tables/nas-bench-201-cifar10.csv.gz"
"""NAS-Bench-201 with the scores of NiccoloCavagnero/FreeREA."""

SPACE = resolve_space("cell_cnn")

pytestmark = pytest.mark.skipif(not TABLE.is_file(), reason=f"{TABLE.name} is not in NAS_DATA")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(TABLE)


def ours(row: Mapping[Any, Any], name: str, examples: int) -> float:
    """The score of an untrained network of the paper's size, on noise in the shape of CIFAR-10."""
    architecture = SPACE.architecture({_choice(column): answer for column, answer in row.items() if column.startswith("choice:")})
    network = build(SPACE, architecture, Signature(Image(3, 32, 32), Features(10)), seed=0)
    generator = torch.Generator().manual_seed(0)
    inputs, targets = torch.randn(examples, 3, 32, 32, generator=generator), torch.zeros(examples, dtype=torch.int64)
    value = score_network(network, [name], Batch(inputs=inputs, targets=targets, loss=cross_entropy))[name]
    assert value is not None
    return value


def _choice(column: str) -> str:
    """choice:edge0-1 → edge_0_1."""
    return column.removeprefix("choice:").replace("edge", "edge_").replace("-", "_")


def test_synflow_orders_the_networks_of_nas_bench_201_as_the_published_scores_do(table: pd.DataFrame) -> None:
    few = table[table["proxy:synflow"] > 0].sample(12, random_state=1)
    scores = pd.Series([ours(row, "synflow", 1) for row in few.to_dict("records")], index=few.index)
    assert scores.corr(few["proxy:synflow"], method="spearman") >= 0.95  # 0.993 over 40 of them


def test_naswot_on_noise_is_near_to_the_published_score_on_pictures(table: pd.DataFrame) -> None:
    few = table[table["proxy:naswot"] > -math.inf].sample(8, random_state=1)
    scores = pd.Series([ours(row, "naswot", 64) for row in few.to_dict("records")], index=few.index)
    assert scores.corr(few["proxy:naswot"]) >= 0.9  # 0.996 over 30 of them
    assert abs((scores / few["proxy:naswot"]).mean() - 1) <= 0.05  # 1.024 over 30


def test_networks_through_which_nothing_flows_have_the_least_score_there_and_here(table: pd.DataFrame) -> None:
    nothing = table[(table["proxy:synflow"] == 0) & (table["proxy:naswot"] == -math.inf)]
    (dead,) = nothing.sample(1, random_state=1).to_dict("records")
    assert ours(dead, "synflow", 1) == ours(dead, "naswot", 64) == -math.inf
