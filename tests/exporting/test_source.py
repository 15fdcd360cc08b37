import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from taken_home import OWN, differences, drawn, inputs_of, loaded
from timm.layers import Conv2dSame
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn import functional

from nas import registry
from nas.benchmark import Features, Image, Sequence, Signature
from nas.errors import ExportError, NasError
from nas.exporting import write_source
from nas.searching import check_input, resolve_benchmark, resolve_space

SPACES = sorted(registry.owners(registry.SEARCH_SPACES))
BENCHMARKS = ("digits", "japanese_vowels", "spoken_and_written_digits", "spoken_digits", "tiny_shakespeare")
"""One of each kind of input, and of output."""


def fitting(space):
    for name in [OWN[space.name]] if space.name in OWN else BENCHMARKS:
        benchmark = resolve_benchmark(name)
        try:
            check_input(space, benchmark)
        except NasError:
            continue
        yield benchmark.signature


def assert_equal(network, signature):
    source = write_source(network, signature, title="A network.")
    copy = loaded(source, network)
    assert differences(network, copy, inputs_of(signature)) == (0.0, 0.0)
    return source


@pytest.mark.parametrize("name", SPACES)
def test_source_computes_what_the_network_computes_in_evaluation_and_in_training(name):
    space = resolve_space(name)
    for signature in fitting(space):
        assert_equal(drawn(space, signature, seed=1), signature)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_source_computes_what_ten_random_networks_of_each_space_compute(name):
    space = resolve_space(name)
    waves = resolve_benchmark("spoken_digits").signature
    for signature in fitting(space):
        if signature == waves and name != "audio_cnn":
            continue  # thousands of steps of a recurrence, for minutes
        for seed in range(2, 12):
            assert_equal(drawn(space, signature, seed), signature)


@pytest.mark.parametrize("name", ["cell_cnn", "transformer_encoder", "audio_cnn", "residual_cnn"])
def test_source_is_formatted_and_without_lint(name, tmp_path):
    ruff = shutil.which("ruff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if ruff is None:
        pytest.skip("ruff is a tool for developing")
    space = resolve_space(name)
    for n, signature in enumerate(fitting(space)):
        file = tmp_path / f"model{n}.py"
        file.write_text(write_source(drawn(space, signature, seed=3), signature, title="A network.").text)
        for command in (["format", "--check", "--diff", "--line-length", "130"], ["check"]):
            done = subprocess.run(
                [ruff, *command, "--isolated", "--no-cache", str(file)], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr


SMALL = Signature(Image(2, 6, 6), Features(3))


class Gated(nn.Module):
    """One convolution, whose first half of channels is weighed by the second."""

    def __init__(self, channels, features):
        super().__init__()
        self.both = nn.Conv2d(channels, 2 * features, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(features, 1, 1))
        self.shift = 0.5
        self.register_buffer("window", torch.hann_window(6), persistent=False)
        self.register_buffer("grid", torch.rand(6, 6), persistent=False)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, inputs_NCHW: torch.Tensor) -> torch.Tensor:
        """Any picture of 6 × 6."""
        if self.training:
            self.seen += 1
        gated = functional.glu(self.both(inputs_NCHW), dim=1)
        return self._moved(gated) * self.window + self.grid

    def _moved(self, inputs):
        return SLOPE * inputs * self.scale + self.shift


SLOPE = 0.9


HALF, LEFT_OUT, TWICE = 1 / 2, [3], 2.0


class Defined(nn.Module):
    """Uses names that are defined together with others, on one line."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Any numbers."""
        return HALF * inputs.relu() - TWICE * inputs


class Told(nn.Module):
    """Says by itself how it is made."""

    def __init__(self, secret):
        super().__init__()
        self.secret = secret
        self.linear = nn.Linear(4, 4)

    def forward(self, inputs):
        return self.linear(inputs) * self.secret()

    def plain_form(self):
        return Scaled, {"linear": self.linear, "scale": self.secret()}


class Scaled(nn.Module):
    """A linear layer, scaled."""

    def __init__(self, linear: nn.Module, scale: float) -> None:
        super().__init__()
        self.linear = linear
        self.scale = scale

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.linear(inputs) * self.scale


class Untold(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = torch.relu

    def forward(self, inputs):
        return self.act(inputs)


@pytest.mark.parametrize(
    "text", ['"""\nraise SystemExit\n"""', 'ends in "', "ends in \\", '""""""', '\\"""', "a \0 b", 'says "so"']
)
def test_what_is_said_of_a_network_stays_a_text_whatever_it_says(text):
    signature = Signature(Features(2), Features(3))
    source = write_source(nn.Sequential(nn.Linear(2, 3)), signature, title=text, words=text).text
    assert source.count("raise SystemExit") == text.count("raise SystemExit") * 2
    kinds = [type(node).__name__ for node in ast.parse(source).body]
    plain = write_source(nn.Sequential(nn.Linear(2, 3)), signature, title="t", words="w").text
    assert kinds == [type(node).__name__ for node in ast.parse(plain).body]
    assert (ast.get_docstring(ast.parse(source)) or "").startswith(text.replace("\0", "").strip())


@pytest.mark.parametrize("names", [("cat", "dog", "hen"), ('a "quote"', "back\\slash", "\u202egnirts"), ("é", "x" * 200, "'")])
def test_names_of_outputs_are_a_constant_whatever_they_say(names):
    network = nn.Sequential(nn.Linear(2, 3))
    source = write_source(network, Signature(Features(2), Features(3)), title="t", classes=names)
    scope = {"__name__": "model"}
    exec(compile(source.text, "model.py", "exec"), scope)  # noqa: S102 - what is under test
    assert scope["CLASSES"] == names
    assert "\u202e" not in source.text


def test_a_module_that_is_nobodys_own_is_taken_apart():
    network = nn.Sequential(Gated(2, 4), nn.ReLU(), Gated(4, 5), nn.Flatten(), nn.Linear(180, 3))
    source = assert_equal(network, SMALL)
    assert source.text.count("class Gated(nn.Module):") == 1
    assert "SLOPE = 0.9" in source.text
    assert set(source.constants) == {"0.grid", "2.grid"}


def test_of_names_that_one_line_defines_those_that_are_used_are_taken_over():
    source = assert_equal(nn.Sequential(nn.Flatten(), Defined(), nn.Linear(72, 3)), SMALL)
    assert "HALF = 1 / 2\nTWICE = 2.0\n" in source.text
    assert "LEFT_OUT" not in source.text


def test_a_module_may_say_itself_how_it_is_made():
    signature = Signature(Sequence(5, 4), Sequence(5, 4))
    source = assert_equal(nn.Sequential(Told(lambda: 2.0), nn.Tanh()), signature)
    assert "class Scaled" in source.text


class ConvNormAct(nn.Module):
    """Is called as one of the file's own blocks."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, inputs):
        return inputs * self.scale


@pytest.mark.parametrize(("side", "kernel", "stride", "dilation"), [(7, 3, 2, 1), (8, 3, 2, 1), (9, 5, 3, 2), (5, 2, 1, 1)])
def test_a_picture_is_padded_as_tensorflow_does_it(side, kernel, stride, dilation):
    """By timm's, whose weights come from there: more at the right and at the bottom, if it cannot be even."""
    torch.manual_seed(0)
    theirs = Conv2dSame(2, 4, kernel, stride=stride, dilation=dilation, groups=2)
    norm = BatchNormAct2d(4, eps=1e-3, act_layer=nn.ReLU6)
    source = assert_equal(nn.Sequential(theirs, norm), Signature(Image(2, side, side + 1), Features(3)))
    assert "class SameConv2d(nn.Conv2d):" in source.text


def test_a_class_whose_name_is_taken_gets_a_number():
    theirs = resolve_space("residual_cnn")
    signature = resolve_benchmark("digits").signature
    source = assert_equal(nn.Sequential(drawn(theirs, signature, seed=3), ConvNormAct(2.0)), signature)
    assert "class ConvNormAct2(nn.Module):" in source.text
    assert "ConvNormAct2()" in source.text


def example(inputs):
    return inputs + 1


class Calling(nn.Module):
    def forward(self, inputs):
        return example(inputs)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(Calling()), "Two different things of one file are called 'example'; rename one of them."),
        (nn.Sequential(Untold()), "The module 0, a Untold, cannot be written as source: its act is <built-in"),
        (nn.Sequential(nn.TransformerEncoderLayer(4, 2)), "does not keep its argument"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name_with_the_way_out(network, message):
    with pytest.raises(ExportError, match=r"`plain_form\(\)`") as caught:
        write_source(network, SMALL, title="A network.")
    assert message in str(caught.value)


def test_weights_that_are_shared_are_refused():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    with pytest.raises(ExportError, match=r"The weight 1\.weight is also 0\.weight"):
        write_source(nn.Sequential(first, second), SMALL, title="A network.")
    with pytest.raises(ExportError, match="The module 1 is also 0"):
        write_source(nn.Sequential(first, first), SMALL, title="A network.")


def test_hooks_are_refused():
    network = nn.Sequential(nn.Linear(3, 3))
    network[0].register_forward_hook(lambda *_: None)
    with pytest.raises(ExportError, match="The module 0 has hooks"):
        write_source(network, SMALL, title="A network.")
