import random

import pytest

from nas import registry
from nas.benchmark import Features, Image, Modalities, NextTokens, Query, Sequence, Signature, Tokens, Waveform
from nas.errors import ModelError
from nas.models import CostFold, Quartiles, Share, Within, cost, layer_kind, network_id, survey
from nas.models.feasibility import COUNTED
from nas.space import Completions, Limit, Space, architectures, parse_space, size

DIGITS = Signature(Image(1, 8, 8), Features(10))

SMALL = parse_space("""
name: small
version: 1
accepts: image
choices: {width: [4, 8, 16], activation: [relu, gelu]}
layers:
  - repeat: block
    times: {int: [0, 2]}
    layers:
      - one_of: kind
        options:
          conv: {features: $width, kernel: [1, 3], activation: $activation}
          skip: []
  - head: {dropout: [0, 0.5]}
""")


def limits(*texts: str) -> list[Limit]:
    return [Limit.parse(text) for text in texts]


@pytest.fixture(scope="module")
def figures() -> list[dict[str, int]]:
    found = [cost(SMALL, architecture, DIGITS) for architecture in architectures(SMALL)]
    return [{"params": one.params, "macs": one.macs, "flops": one.flops} for one in found]


def test_a_small_space_is_looked_at_whole(figures: list[dict[str, int]]) -> None:
    seen = survey(SMALL, DIGITS, limits("params <= 500", "flops <= 20e3"))
    assert (seen.size, seen.looked_at, seen.whole) == (size(SMALL), len(figures), True)
    assert seen.within.value == sum(f["params"] <= 500 and f["flops"] <= 20e3 for f in figures) / len(figures)
    assert seen.within.low == seen.within.high == seen.within.value
    assert seen.by_limit["params <= 500"].value == sum(f["params"] <= 500 for f in figures) / len(figures)
    for name in COUNTED:
        values = sorted(f[name] for f in figures)
        assert seen.figures[name].smallest == values[0] == seen.reach[name].smallest.total
        assert seen.figures[name].largest == values[-1] == seen.reach[name].largest.total
        assert seen.reach[name].proven
    assert (seen.impossible, seen.unknown, seen.misfit, seen.misfits.value) == ((), (), "", 0)


def test_equal_networks_of_a_whole_space_are_counted() -> None:
    ids = [network_id(SMALL, architecture, DIGITS) for architecture in architectures(SMALL)]
    seen = survey(SMALL, DIGITS)
    assert seen.networks == len(set(ids)) < len(ids)
    assert seen.repeated.value == sum(ids.count(one) > 1 for one in ids) / len(ids)


def test_a_choice_that_nothing_hears_is_named() -> None:
    deaf = parse_space("""
name: deaf
version: 1
accepts: image
layers:
  - repeat: stage
    times: 2
    layers:
      - norm: {kind: layer, groups: [2, 4]}
  - head: {dropout: [0, 0.2]}
""")
    (idle,) = survey(deaf, DIGITS).idle
    assert (idle.choice, idle.share.value) == ("stage.*.norm.groups", 1.0)


def test_a_large_space_is_sampled_evenly_and_shares_have_intervals(
    monkeypatch: pytest.MonkeyPatch, figures: list[dict[str, int]]
) -> None:
    monkeypatch.setattr("nas.models.feasibility.ENUMERATED", 10)
    true = sum(f["params"] <= 500 for f in figures) / len(figures)
    seen = survey(SMALL, DIGITS, limits("params <= 500"), samples=800)
    assert (seen.looked_at, seen.whole, seen.networks) == (800, False, None)
    assert seen.within.low <= true <= seen.within.high
    assert 0 < seen.within.high - seen.within.low < 0.08
    assert seen.proposals_within != seen.within  # proposals draw the depth evenly, and shallow networks are few


def test_equal_seeds_give_equal_surveys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.models.feasibility.ENUMERATED", 10)
    one, other, third = (survey(SMALL, DIGITS, limits("params <= 500"), samples=200, seed=seed) for seed in (1, 1, 2))
    assert (one.within, one.figures, one.idle) == (other.within, other.figures, other.idle)
    assert one.within != third.within


def test_a_limit_that_nothing_meets_is_told_with_what_comes_nearest() -> None:
    seen = survey(SMALL, DIGITS, limits("params <= 10", "flops >= 1e12", "latency_ms <= 5"))
    assert seen.impossible == (
        "No network keeps to params <= 10: the smallest has 20 params; move the limit.",
        "No network keeps to flops >= 1000000000000: the largest has "
        f"{int(seen.reach['flops'].largest.total):,} flops; move the limit.",
    )
    assert seen.within.value == 0
    assert seen.unknown == ("latency_ms <= 5",)


def test_architectures_that_do_not_fit_are_told_apart() -> None:
    odd = parse_space(
        """
name: odd
version: 1
accepts: image
layers:
  - conv: {features: [4, 6]}
  - conv: {features: 4, groups: [1, 4]}
  - head
""".replace("  - conv: {features: 4, groups", "  - name: second\n    conv: {features: 4, groups")
    )
    seen = survey(odd, DIGITS)
    assert seen.misfits.value == 1 / 4
    assert seen.misfit == "second: groups must divide the channels that come in (6), got 4."


def test_a_space_of_which_nothing_fits_is_refused() -> None:
    with pytest.raises(ModelError, match="no architecture of 'no' has layers that all fit"):
        survey(parse_space("{name: no, version: 1, accepts: image, layers: [conv: {features: [2, 4]}]}"), DIGITS)


@pytest.mark.parametrize(("hits", "number", "low", "high"), [(0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1)])
def test_intervals_of_shares_are_those_of_the_score_test(hits: int, number: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, method 3, gives such figures; these were worked out by hand."""
    share = Share.of(hits, number)
    assert (share.low, share.high) == pytest.approx((low, high), abs=5e-5)


def test_quartiles_are_figures_of_real_networks() -> None:
    assert Quartiles.of([5, 1, 4, 2]) == Quartiles(smallest=1, lower=1, median=2, upper=4, largest=5)


# Spaces as the harness ships them

SIGNATURES: dict[str, Signature] = {
    "image": DIGITS,
    "sequence": Signature(Sequence(29, 12), Features(9)),
    "tokens": Signature(Tokens(32, 66), NextTokens(32, 66)),
    "waveform": Signature(Waveform(length=4_000, channels=1, rate=8_000), Features(10)),
    "features": Signature(Features(12), Features(3)),
    "modalities": Signature(Modalities.of(image=Image(3, 8, 8), text=Tokens(24, 100), sound=Image(1, 16, 16)), Features(10)),
    "query": Signature(Query(20, 5), Features(20)),
    "image_gan": Signature(Features(12), Image(1, 8, 8)),  # of noise
    "recommender": Signature(Tokens(2, 40), Features(1)),  # a space that gives no next token
    "shipped_texts": Signature(Tokens(24, 30_522), Features(2)),  # of BERT's pieces of words
}


@pytest.mark.parametrize("name", sorted(registry.owners(registry.SEARCH_SPACES)))
def test_draws_within_a_tight_limit_keep_to_it(name: str) -> None:
    from nas.space import resolve_space

    space = resolve_space(name)
    signature = SIGNATURES.get(name, SIGNATURES[space.accepts[0]])
    rng = random.Random(0)
    params = sorted(cost(space, space.sample(rng), signature).params for _ in range(100))
    within = Within(space, signature, limits(f"params <= {params[2]}"))  # of a hundred proposals three, or all as small
    few = sum(one <= params[2] for one in params) < 10
    assert within.note.startswith("Of random proposals ") if few else within.note == ""
    assert not within.impossible
    for _ in range(20):
        drawn = within.draw(rng)
        assert drawn is not None
        assert cost(space, drawn, signature).params <= params[2]


def test_limits_that_leave_enough_are_not_spoken_of() -> None:
    assert Within(SMALL, DIGITS, limits("params <= 1e6")).note == ""


def test_what_nothing_keeps_to_is_drawn_by_nobody() -> None:
    within = Within(SMALL, DIGITS, limits("params <= 10"))
    assert within.impossible == "No network keeps to params <= 10: the smallest has 20 params; move the limit."
    assert within.draw(random.Random(0)) is None


@pytest.mark.parametrize("name", sorted(registry.owners(registry.LAYERS)))
def test_options_that_are_said_to_cost_nothing_are_options(name: str) -> None:
    kind = layer_kind(name)
    assert kind.costless <= set(kind.model_fields)


def test_the_fold_sees_branches_and_cells_as_the_plan_does() -> None:
    wired = parse_space("""
name: wired
version: 1
accepts: image
layers:
  - conv: {features: 4}
  - parallel: mix
    merge: [add, concatenate, multiply]
    branches: {body: [conv: {features: [2, 4]}], skip: []}
  - cell: cell
    nodes: 3
    operations: {conv: {features: 4, kernel: [1, 3]}, same: [], none: [zero]}
  - head
""")
    completions = Completions(wired, CostFold(DIGITS))
    for architecture in architectures(wired):
        assert follow(completions, architecture) == planned(wired, architecture)


def follow(completions: Completions, architecture: object) -> tuple[float, ...] | None:
    return completions.follow(architecture)[0]  # type: ignore[arg-type]


def planned(space: Space, architecture: object) -> tuple[int, ...] | None:
    try:
        found = cost(space, architecture, DIGITS)  # type: ignore[arg-type]
    except ModelError:
        return None
    return found.params, found.macs, found.flops
