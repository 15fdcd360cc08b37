"""NAS-Bench-Macro's space, against its public table (Su et al. 2021, arXiv:2103.11922)."""

import random

import torch
from public_tables import rows

from nas.benchmark import Features, Image, Signature
from nas.models import Cost, build, cost, count, network_id
from nas.space import Architecture, architectures, size
from search_spaces.macro_cnn import SPACE

TABLE = "nas-bench-macro.csv.gz"
CIFAR = Signature(Image(3, 32, 32), Features(10))
LAYERS = [f"layer{n}" for n in range(8)]


def architecture(row: dict[str, str]) -> Architecture:
    return SPACE.architecture({name: row[f"choice:{name}"] for name in LAYERS})


def test_the_space_holds_the_architectures_of_its_table_and_no_more() -> None:
    assert size(SPACE) == 3**8 == 6_561
    assert len({architecture(row).id for row in rows(TABLE)}) == 6_561


def test_200_rows_of_the_table_agree_in_parameters_and_multiply_adds() -> None:
    """What the table calls `flops` are multiply-adds."""
    for row in random.Random(0).sample(rows(TABLE), 200):
        assert cost(SPACE, architecture(row), CIFAR) == Cost(int(row["params"]), int(row["flops"])), row


def test_built_networks_have_the_parameters_and_multiply_adds_of_the_rows() -> None:
    for row in random.Random(1).sample(rows(TABLE), 5):
        found = count(lambda row=row: build(SPACE, architecture(row), CIFAR), CIFAR.input)
        assert (found.params, found.macs) == (int(row["params"]), int(row["flops"])), row


def test_a_network_of_identities_costs_its_stem_three_strides_and_its_end() -> None:
    identities = SPACE.architecture(dict.fromkeys(LAYERS, "identity"))
    stem, strides, last = 9 * 3 * 32, [32 * 64, 64 * 128, 128 * 256], 256 * 1_280
    norms = 2 * (32 + 64 + 128 + 256 + 1_280)
    params = stem + sum(strides) + last + norms + 12_810
    macs = 1_024 * stem + 256 * strides[0] + 64 * strides[1] + 16 * (strides[2] + last) + 12_800
    assert cost(SPACE, identities, CIFAR) == Cost(params, macs) == Cost(387_882, 7_713_280)


def test_an_identity_within_a_stage_commutes() -> None:
    """3 strided layers, then runs of up to 1, 2 and 2 blocks of two kinds: 9 · 21 · 21 networks under 6,561 names."""
    found = {network_id(SPACE, one, CIFAR) for one in architectures(SPACE)}
    assert len(found) == (3 * 3) * (3 * 7) * (3 * 7) == 3_969


def test_an_identity_that_halves_the_picture_has_no_activation() -> None:
    model = build(SPACE, SPACE.architecture(dict.fromkeys(LAYERS, "identity")), CIFAR, seed=0).eval()
    with torch.no_grad():
        halved = model.get_submodule("layer0-identity-conv")(torch.randn(1, 32, 4, 4))
    assert halved.shape == (1, 64, 2, 2)
    assert halved.min() < 0
