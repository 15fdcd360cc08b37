import pytest
import torch
from sequence_questions import inputs

from nas.benchmark import Features, NextTokens, Signature, Tokens
from nas.models import Cost, build, cost, count
from nas.space import size
from search_spaces.transformer_encoder import SPACE

TEXTS = Signature(Tokens(24, 100), Features(2))


@pytest.mark.parametrize(
    ("positions", "kind", "table"),
    [("none", "learned", 24 * 24), ("none", "sinusoidal", 0), ("rotary", None, 0), ("relative", None, 4 * 47)],
)
def test_one_choice_decides_where_positions_are_told(positions: str, kind: str | None, table: int) -> None:
    answers = {"positions": positions, "position.none.position.kind": kind, "block.times": 1, "block.0.encoder_block.heads": 4}
    architecture = SPACE.walk(lambda name, domain: answers.get(name, next(iter(domain))))
    model = build(SPACE, architecture, TEXTS, seed=0)
    assert ("position-none-position" in dict(model.named_children())) is (kind is not None)
    attention = model.get_submodule("block-0-encoder_block").attn
    assert (attention.rotary is not None, attention.relative is not None) == (positions == "rotary", positions == "relative")
    # By hand: 100 vectors; q, k, v, out; a feed-forward of ratio 1; three norms; the head; and what tells positions.
    params = 2_400 + (4 * 576 + 96) + (2 * 576 + 48) + 3 * 48 + 50 + table
    macs = 24 * 6 * 576 + 2 * 24**2 * 24 + 48
    assert cost(SPACE, architecture, TEXTS) == Cost(params, macs)
    found = count(lambda: build(SPACE, architecture, TEXTS), TEXTS.input)
    assert (found.params, found.macs) == (params, macs)


def test_equal_blocks_before_their_norms_are_torchs_encoder() -> None:
    shared = {"embedding.features": 32, "dropout": 0, "positions": "none", "position.none.position.kind": "learned"}
    kinds = {"gated": False, "activation": "relu", "norm_first": True, "block.times": 2}
    blocks = {f"block.{n}.encoder_block.{option}": value for n in range(2) for option, value in (("heads", 4), ("ratio", 2))}
    model = build(SPACE, SPACE.architecture({**shared, **kinds, **blocks}), TEXTS, seed=0).eval()
    layer = torch.nn.TransformerEncoderLayer(
        32, 4, 64, dropout=0.0, layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).train()
    middle = model.get_submodule("position-none-position")(model.embedding(inputs(TEXTS)))
    for n in range(2):
        block = model.get_submodule(f"block-{n}-encoder_block")
        weights = {
            name.replace("attn.qkv.", "self_attn.in_proj_")
            .replace("attn.proj", "self_attn.out_proj")
            .replace("mlp.fc", "linear"): value
            for name, value in block.state_dict().items()
        }
        layer.load_state_dict(weights)
        expected = layer(middle)
        middle = block(middle)
        torch.testing.assert_close(middle, expected)
    torch.testing.assert_close(model(inputs(TEXTS)), model.head.linear(model.norm(middle).mean(dim=1)))


def test_the_size_is_what_the_readme_says() -> None:
    assert size(SPACE) == 6 * 2 * 4 * 2 * 3 * 2 * sum(9**depth for depth in range(1, 7)) == 344_373_120


def test_the_smallest_and_the_largest_have_the_parameters_that_the_readme_says() -> None:
    shakespeare = Signature(Tokens(128, 65), NextTokens(128, 65))
    small = SPACE.walk(lambda name, domain: "rotary" if name == "positions" else next(iter(domain)))
    # By hand: 65 vectors, one block of 6 · 24² weights, three norms, a head.
    assert cost(SPACE, small, shakespeare).params == 65 * 24 + 6 * 24**2 + 6 * 24 + 3 * 48 + 65 * 25 == 6_929
    answers = {"positions": "none", "position.none.position.kind": "learned", "norm_first": True}
    large = SPACE.walk(lambda name, domain: answers.get(name, list(domain)[-1] if name != "gated" else True))
    block = (4 + 3 * 4) * 128**2 + (4 + 2 * 4 + 1) * 128 + 2 * 256
    assert cost(SPACE, large, shakespeare).params == 65 * 128 + 128 * 128 + 6 * block + 256 + 65 * 129 == 1_619_265
