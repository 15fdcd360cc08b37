from typing import Any, get_args

import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_examples import make
from torch import Tensor, nn

from nas.benchmark import Features, Image, Shape
from nas.cli import main
from nas.errors import RegistryError
from nas.models import LayerKind, layer_kind
from nas.models.layers import Activation

WANTED = Features(3)

counts = st.integers(1, 12)
kernels = st.sampled_from([1, 3, 5, 7, 31])
strides = st.integers(1, 8)
activations = st.sampled_from(get_args(Activation))
shares = st.sampled_from([0, 0.01, 0.25, 0.5])
sides = st.sampled_from([1, 2, 3, 5, 7, 8, 28]) | st.integers(1, 20)
images = st.builds(Image, st.integers(1, 9), sides, sides)
blocks = {"features": counts, "kernel": kernels, "stride": strides, "activation": activations}


@st.composite
def grouped_convolutions(draw: st.DrawFn) -> tuple[str, dict[str, Any], Shape]:
    groups = draw(st.integers(1, 4))
    options = {key: draw(values) for key, values in blocks.items()}
    options |= {"groups": groups, "features": groups * draw(st.integers(1, 3))}
    return "conv", options, Image(groups * draw(st.integers(1, 3)), draw(sides), draw(sides))


def placed(name: str, given: st.SearchStrategy[Any] = images, /, **options: Any) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(name), st.fixed_dictionaries(options), given)


LAYERS = {
    "conv": grouped_convolutions(),
    "residual": placed("residual", **blocks, squeeze_excite=shares),
    "inverted_residual": placed("inverted_residual", **blocks, squeeze_excite=shares, expansion=st.integers(1, 6)),
    "pool": placed("pool", kind=st.sampled_from(["max", "average"]), size=st.integers(2, 16)),
    "squeeze_excite": placed("squeeze_excite", ratio=st.sampled_from([0.01, 0.25, 1.0])),
    "head": placed(
        "head", images | st.builds(Features, counts), pool=st.sampled_from(["average", "max"]), dropout=st.sampled_from([0, 0.2])
    ),
}


def batch(shape: Shape, count: int = 2) -> Tensor:
    axes = (shape.channels, shape.height, shape.width) if isinstance(shape, Image) else (shape.count,)
    return torch.randn(count, *axes, generator=torch.Generator().manual_seed(0))


def shape_of(outputs: Tensor) -> Shape:
    return Image(*outputs.shape[1:]) if outputs.ndim == 4 else Features(*outputs.shape[1:])


@pytest.mark.parametrize("kind", LAYERS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_layer_gives_the_shape_that_it_declares(kind: str, data: st.DataObject) -> None:
    name, options, given_shape = data.draw(LAYERS[kind])
    layer = make(name, **options)
    module = layer.build(given_shape, WANTED).eval()
    with torch.no_grad():
        assert shape_of(module(batch(given_shape))) == layer.output(given_shape, WANTED)


@pytest.mark.parametrize(
    ("kind", "options", "size", "out"),
    [
        ("conv", {"features": 4}, (7, 5), (7, 5)),
        ("conv", {"features": 4, "stride": 2}, (7, 5), (4, 3)),
        ("conv", {"features": 4, "stride": 2, "kernel": 31}, (28, 28), (14, 14)),
        ("conv", {"features": 4, "stride": 8, "kernel": 1}, (1, 1), (1, 1)),
        ("residual", {"features": 4, "stride": 2, "kernel": 5}, (8, 8), (4, 4)),
        ("inverted_residual", {"features": 4, "stride": 2, "expansion": 1}, (7, 5), (4, 3)),
        ("pool", {"size": 2}, (7, 5), (4, 3)),
        ("pool", {"size": 16, "kind": "average"}, (1, 1), (1, 1)),
        ("pool", {"size": 3}, (28, 28), (10, 10)),
    ],
)
def test_a_stride_and_a_pool_divide_the_picture_and_round_up(
    kind: str, options: dict[str, Any], size: tuple[int, int], out: tuple[int, int]
) -> None:
    layer, given_shape = make(kind, **options), Image(4, *size)
    assert layer.output(given_shape, WANTED) == Image(4, *out)
    assert shape_of(layer.build(given_shape, WANTED)(batch(given_shape))) == Image(4, *out)


@pytest.mark.parametrize("activation", get_args(Activation))
@pytest.mark.parametrize("kind", ["conv", "residual", "inverted_residual"])
def test_gradients_reach_every_parameter_through_every_activation(kind: str, activation: str) -> None:
    options = {} if kind == "conv" else {"squeeze_excite": 0.5}
    module = make(kind, features=8, activation=activation, **options).build(Image(4, 5, 5), WANTED)
    module(batch(Image(4, 5, 5), count=8)).square().sum().backward()
    missing = [name for name, parameter in module.named_parameters() if parameter.grad is None]
    assert not missing


def test_an_average_pool_counts_only_pixels_of_the_picture() -> None:
    pool = make("pool", kind="average").build(Image(1, 3, 3), WANTED)
    picture = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert pool(picture).tolist() == [[[[2.0, 3.5], [6.5, 8.0]]]]


def test_a_max_pool_gives_the_largest_of_each_square() -> None:
    pool = make("pool", kind="max").build(Image(1, 3, 3), WANTED)
    picture = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert pool(picture).tolist() == [[[[4.0, 5.0], [7.0, 8.0]]]]


def test_a_residual_block_without_its_convolutions_is_its_shortcut() -> None:
    block = make("residual", features=4).build(Image(4, 5, 5), WANTED)
    nn.init.zeros_(block.conv2.bn.weight)
    images_NCHW = batch(Image(4, 5, 5))
    assert torch.equal(block(images_NCHW), images_NCHW.relu())


@pytest.mark.parametrize(("features", "stride"), [(4, 2), (8, 1)])
def test_a_residual_block_that_changes_the_shape_has_a_convolution_as_shortcut(features: int, stride: int) -> None:
    block = make("residual", features=features, stride=stride).build(Image(4, 5, 5), WANTED)
    assert block.shortcut.conv.weight.shape == (features, 4, 1, 1)


@pytest.mark.parametrize(("features", "stride", "added"), [(4, 1, True), (4, 2, False), (8, 1, False)])
@pytest.mark.parametrize("expansion", [1, 4])
def test_an_inverted_residual_adds_its_input_where_the_shape_stays(
    expansion: int, features: int, stride: int, added: bool
) -> None:
    block = make("inverted_residual", features=features, stride=stride, expansion=expansion).build(Image(4, 5, 5), WANTED)
    last = block.bn2 if expansion == 1 else block.bn3
    nn.init.zeros_(last.weight)
    images_NCHW = batch(Image(4, 5, 5))
    outputs = block(images_NCHW)
    assert torch.equal(outputs, images_NCHW if added else torch.zeros_like(outputs))


def test_squeeze_and_excitation_weighs_whole_channels() -> None:
    module = make("squeeze_excite").build(Image(8, 4, 4), WANTED)
    images_NCHW = batch(Image(8, 4, 4))
    weights_NCHW = module(images_NCHW) / images_NCHW
    assert weights_NCHW.flatten(2).std(dim=2).max() < 1e-5
    assert 0 < weights_NCHW.min() < weights_NCHW.max() < 1


@pytest.mark.parametrize(("pool", "pooled"), [("average", 4.0), ("max", 8.0)])
def test_a_head_pools_the_whole_picture_before_its_linear_layer(pool: str, pooled: float) -> None:
    head = make("head", pool=pool).build(Image(1, 3, 3), Features(2))
    nn.init.zeros_(head.linear.bias)
    nn.init.constant_(head.linear.weight, 1.0)
    assert head(torch.arange(9.0).reshape(1, 1, 3, 3)).tolist() == [[pooled, pooled]]


def test_a_head_drops_out_in_training_only() -> None:
    head = make("head", dropout=0.5).build(Features(64), Features(2))
    ones = torch.ones(1, 64)
    assert not torch.equal(head(ones), head(ones))
    head.eval()
    assert torch.equal(head(ones), head(ones))


def test_a_kind_that_says_nothing_of_itself_names_what_is_missing() -> None:
    class Silent(LayerKind):
        pass

    with pytest.raises(NotImplementedError, match=r"^Silent.output$"):
        Silent().output(Image(1, 1, 1), WANTED)
    with pytest.raises(NotImplementedError, match=r"^Silent.build$"):
        Silent().build(Image(1, 1, 1), WANTED)


@pytest.mark.parametrize(
    ("accepts", "shown"),
    [
        ("pass", "nothing"),
        ("accepts: ClassVar = Image", "<class 'nas.benchmark.Image'>"),
        ("accepts: ClassVar = ()", "()"),
        ("accepts: ClassVar = (Image, 3)", "(<class 'nas.benchmark.Image'>, 3)"),
    ],
)
def test_a_kind_that_does_not_say_what_it_accepts_is_refused_and_hides_no_other(install: Any, accepts: str, shown: str) -> None:
    imports = "from typing import ClassVar\nfrom nas.benchmark import Image\nfrom nas.models import LayerKind\n"
    install(f"{imports}class Mute(LayerKind):\n    {accepts}\n", mute="other_team_layers:Mute")
    message = (
        "The layer 'mute' of other-team (other_team_layers:Mute) must name the classes of shapes that it takes as a tuple "
        f"`accepts`, such as (Image,), got {shown}."
    )
    with pytest.raises(RegistryError) as caught:
        layer_kind("mute")
    assert str(caught.value) == message
    done = CliRunner().invoke(main, ["layers"])
    assert "\nconv " in done.output
    assert done.stderr == f"nas: {message}\n"
