import random
from pathlib import Path

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

import search_spaces.vision_transformer
from nas.benchmark import Features, Image, Signature
from nas.models import Cost, build, cost, count
from nas.space import parse_space, size
from search_spaces.vision_transformer import SPACE

DIGITS = Signature(Image(1, 8, 8), Features(10))
FASHION = Signature(Image(1, 28, 28), Features(10))

_DECLARED = (Path(search_spaces.vision_transformer.__file__).parent / "space.yaml").read_text()


def declared_with(*changes: tuple[str, str]):
    """The space as it is shipped, with other ranges."""
    text = _DECLARED
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return parse_space(text)


def weights_of(theirs: nn.Module, ours: nn.Module) -> dict[str, Tensor]:
    """timm's weights, under our names and in our shapes."""
    names = {
        "patch_embed.": "patch_embedding.",
        "cls_token": "token-first-class_token.token_C",
        "pos_embed": "position.table_LC",
        "blocks.": "block-",
        ".norm1.": "-encoder_block.norm1.",
        ".norm2.": "-encoder_block.norm2.",
        ".attn.": "-encoder_block.attn.",
        ".mlp.": "-encoder_block.mlp.",
        "head.": "head.linear.",
    }
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    found = {}
    for name, value in theirs.state_dict().items():
        for their_name, our_name in names.items():
            name = name.replace(their_name, our_name)
        found[name] = value.reshape(shapes[name])
    return found


def test_with_the_settings_of_vit_tiny_it_is_timms_vit_tiny() -> None:
    space = declared_with(
        ("size: [2, 4]", "size: 16"),
        ("features: [24, 32, 48, 64, 96, 128]", "features: 192"),
        ("times: {int: [1, 8]}", "times: 12"),
        ("heads: [1, 2, 4]", "heads: 3"),
        ("ratio: [1, 2, 4]", "ratio: 4"),
    )
    signature = Signature(Image(3, 224, 224), Features(1000))
    architecture = space.architecture({"pool": "first", "dropout": 0})
    theirs = timm.create_model("vit_tiny_patch16_224", pretrained=False).eval()
    ours = build(space, architecture, signature, seed=0).eval()

    params = sum(parameter.numel() for parameter in theirs.parameters())
    patches, block = 196 * 16**2 * 3 * 192, 197 * (4 + 8) * 192**2 + 2 * 197**2 * 192
    macs = patches + 12 * block + 192 * 1000
    assert cost(space, architecture, signature) == Cost(params, macs) == Cost(5_717_416, 1_253_683_200)
    found = count(lambda: build(space, architecture, signature), signature.input)
    assert (found.params, found.macs) == (params, macs)

    ours.load_state_dict(weights_of(theirs, ours))
    pictures = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(pictures), theirs(pictures), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("pool", "theirs_pool"), [("first", "token"), ("average", "avg")])
def test_with_equal_blocks_it_is_timms_vision_transformer(pool: str, theirs_pool: str) -> None:
    theirs = VisionTransformer(
        img_size=28,
        patch_size=4,
        in_chans=1,
        num_classes=10,
        global_pool=theirs_pool,
        embed_dim=48,
        depth=3,
        num_heads=4,
        mlp_ratio=2,
        class_token=pool == "first",
        fc_norm=False,
    ).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)) * 0.1)
    blocks = {f"block.{n}.encoder_block.{option}": value for n in range(3) for option, value in (("heads", 4), ("ratio", 2))}
    shared = {"patch_embedding.size": 4, "patch_embedding.features": 48, "pool": pool, "dropout": 0, "block.times": 3}
    ours = build(SPACE, SPACE.architecture({**shared, **blocks}), FASHION, seed=0).eval()
    ours.load_state_dict(weights_of(theirs, ours))
    pictures = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(pictures), theirs(pictures), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("signature", "number"), [(DIGITS, 50), (FASHION, 5), (Signature(Image(3, 7, 5), Features(2)), 10)], ids=lambda s: str(s)[:40]
)
def test_random_architectures_give_a_logit_a_class_and_pass_gradients_back(signature: Signature, number: int) -> None:
    rng = random.Random(0)
    for _ in range(number):
        architecture = SPACE.sample(rng)
        model = build(SPACE, architecture, signature, seed=0)
        logits = model(torch.randn(2, *signature.input.axes))
        assert logits.shape == (2, signature.output.count)
        logits.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients), architecture.choices


def test_the_size_is_what_the_readme_says() -> None:
    assert size(SPACE) == 2 * 2 * 6 * 2 * sum(9**depth for depth in range(1, 9)) == 2_324_522_880


def test_the_smallest_and_the_largest_have_the_parameters_that_the_readme_says() -> None:
    small = SPACE.walk(lambda name, domain: "average" if name == "pool" else next(iter(domain)))
    # By hand: 24 vectors of 2×2 pixels, 16 positions, one block of 6 · 24² weights, three norms, a head.
    assert cost(SPACE, small, DIGITS).params == (4 + 1) * 24 + 16 * 24 + 6 * 24**2 + 6 * 24 + 3 * 48 + 250 == 4_498
    large = SPACE.walk(lambda name, domain: {"pool": "first", "patch_embedding.size": 2}.get(name, list(domain)[-1]))
    block = 12 * 128**2 + 9 * 128 + 2 * 256
    assert cost(SPACE, large, FASHION).params == (4 + 1) * 128 + 128 + 197 * 128 + 8 * block + 256 + 1_290 == 1_613_706


@pytest.mark.parametrize(("size", "patches"), [(2, 16), (4, 4)])
def test_digits_are_cut_without_rest(size: int, patches: int) -> None:
    answers = {"patch_embedding.size": size, "pool": "average", "block.times": 1}
    architecture = SPACE.walk(lambda name, domain: answers.get(name, next(iter(domain))))
    assert build(SPACE, architecture, DIGITS).position.table_LC.shape == (patches, 24)
