"""Explainers against networks whose attributions are known by hand.

Axes: N examples, C channels, H height, W width, L positions, K classes, F features.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nas import registry
from nas.benchmark import Features, Image, NextTokens, Query, Sequence, Shape, Signature, Tokens, Waveform
from nas.errors import ExplainError, RegistryError
from nas.explaining import Asked, Says, find_explainer
from nas.explaining.explainer import explained_by
from nas.models.layers.ngrams import BagOfNgrams

METHODS = ("integrated-gradients", "occlusion", "activations")


def asked_of(network: nn.Module, inputs: Tensor, shape: Shape, answers: list[int], classes: int = 3) -> Asked:
    signature = Signature(shape, Features(classes))
    return Asked(Says(network, signature).eval(), inputs, torch.tensor(answers), signature)


def explain(method: str, asked: Asked) -> Tensor:
    return explained_by(find_explainer(method), asked)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("method", METHODS[:2])
def test_of_a_linear_network_a_number_adds_its_weight_times_itself(method: str) -> None:
    network, inputs_NF = nn.Sequential(nn.Linear(5, 3)), torch.randn(4, 5)
    found = explain(method, asked_of(network, inputs_NF, Features(5), [0, 2, 1, 2]))
    weights_NF = network[0].weight[[0, 2, 1, 2]]
    torch.testing.assert_close(found, (weights_NF * inputs_NF).double().detach(), atol=1e-5, rtol=1e-4)


class MeanOfWords(nn.Module):
    """Logits that are the mean of the words' vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Embedding(6, 3)  # not the words'
        self.words = nn.Embedding(11, 3, padding_idx=0)

    def forward(self, ids_NL: Tensor) -> Tensor:
        return self.words(ids_NL).mean(1) + 0 * self.positions.weight.sum()


@pytest.mark.parametrize(("method", "share"), [("integrated-gradients", 1 / 6), ("occlusion", 1 / 6)])
def test_a_word_adds_its_own_share_of_the_answer_and_padding_nothing(method: str, share: float) -> None:
    network, ids_NL = MeanOfWords(), torch.tensor([[0, 0, 3, 4, 3, 10], [0, 9, 9, 1, 2, 5]])
    found_NL = explain(method, asked_of(network, ids_NL, Tokens(6, 11), [1, 0]))
    wanted_NL = torch.stack([share * network.words.weight[ids_NL[0], 1], share * network.words.weight[ids_NL[1], 0]])
    torch.testing.assert_close(found_NL, wanted_NL.double().detach(), atol=1e-6, rtol=1e-4)
    assert found_NL[0, :2].tolist() == [0, 0]


def test_integrated_gradients_add_up_to_the_difference_of_the_output() -> None:
    network = nn.Sequential(nn.Conv2d(2, 6, 3), nn.SiLU(), nn.Conv2d(6, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(96, 3))
    asked = asked_of(network, 3 * torch.randn(3, 2, 8, 8), Image(2, 8, 8), [0, 1, 2])
    found_NHW = explain("integrated-gradients", asked)
    difference_N = asked.answer(asked.inputs) - asked.answer(asked.baseline)
    assert found_NHW.shape == (3, 8, 8)  # channels are added up
    torch.testing.assert_close(found_NHW.sum((1, 2)), difference_N.double(), atol=2e-3, rtol=0.01)


def test_occlusion_finds_the_one_place_that_matters() -> None:
    class Corner(nn.Module):
        def forward(self, images_NCHW: Tensor) -> Tensor:
            return 5 * images_NCHW[:, 0, 3, 3].unsqueeze(1).repeat(1, 3)

    found_NHW = explain("occlusion", asked_of(Corner(), torch.ones(2, 1, 8, 8), Image(1, 8, 8), [0, 1]))
    assert (found_NHW.flatten(1).argmax(1) == 3 * 8 + 3).all()
    assert found_NHW.count_nonzero(dim=(1, 2)).tolist() == [9, 9]  # its own 2×2 windows, at a stride of 1, reach no farther
    assert found_NHW.max() == 5


def test_activations_are_the_norm_of_the_last_layer_with_places() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    images_NCHW = torch.randn(2, 1, 8, 8)
    found_NHW = explain("activations", asked_of(network, images_NCHW, Image(1, 8, 8), [0, 0]))
    torch.testing.assert_close(found_NHW, network[:2](images_NCHW).norm(dim=1).double().detach())


def test_activations_of_patches_and_spectrograms_are_spread_over_the_input() -> None:
    class Patches(nn.Module):
        def forward(self, images_NCHW: Tensor) -> Tensor:
            return images_NCHW.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4).flatten(2, 3).squeeze(1)

    images_NCHW = torch.zeros(1, 1, 8, 8)
    images_NCHW[0, 0, 6:, :2] = 1
    network = nn.Sequential(Patches(), nn.Flatten(), nn.Linear(64, 3))
    found_HW = explain("activations", asked_of(network, images_NCHW, Image(1, 8, 8), [0]))[0]
    assert divmod(int(found_HW.argmax()), 8)[0] >= 4
    assert divmod(int(found_HW.argmax()), 8)[1] < 4

    class Spectrogram(nn.Module):
        def forward(self, sound_NLC: Tensor) -> Tensor:
            return sound_NLC.squeeze(2).unflatten(1, (8, 4)).transpose(1, 2).unsqueeze(1)

    sound_NLC = torch.zeros(1, 32, 1)
    sound_NLC[0, 20:24] = 1
    network = nn.Sequential(Spectrogram(), nn.Flatten(), nn.Linear(32, 3))
    found_L = explain("activations", asked_of(network, sound_NLC, Waveform(length=32, channels=1, rate=8), [0]))[0]
    assert 20 <= int(found_L.argmax()) < 24


def test_a_network_without_places_has_no_activations_to_show() -> None:
    asked = asked_of(nn.Sequential(nn.Linear(5, 3)), torch.randn(2, 5), Features(5), [0, 0])
    with pytest.raises(ExplainError, match="no layer of this network keeps places apart; explain it by integrated-gradients"):
        explain("activations", asked)


def test_gradients_reach_no_tokens_without_a_table_of_vectors() -> None:
    class OneHot(nn.Module):
        def forward(self, ids_NL: Tensor) -> Tensor:
            return nn.functional.one_hot(ids_NL, 11).float().sum(1)[:, :3]

    asked = asked_of(OneHot(), torch.ones(1, 6, dtype=torch.long), Tokens(6, 11), [0])
    with pytest.raises(ExplainError, match="a table of 11 vectors, and this network has none; use occlusion"):
        explain("integrated-gradients", asked)


def test_gradients_reach_no_tokens_where_runs_of_them_are_looked_up() -> None:
    """In a table of as many rows as there are words, which is not the words' all the same; occlusion needs no gradient."""
    torch.manual_seed(0)
    network = nn.Sequential(BagOfNgrams(11, 3, 1, 2))
    asked = asked_of(network, torch.tensor([[0, 0, 1, 2, 3, 4]]), Tokens(6, 11), [0])
    with pytest.raises(ExplainError, match="this network looks up runs of them; use occlusion"):
        explain("integrated-gradients", asked)
    assert (explain("occlusion", asked)[0] != 0).tolist() == [False, False, True, True, True, True]


def test_of_next_tokens_the_answer_at_the_last_position_is_explained() -> None:
    signature = Signature(Tokens(6, 11), NextTokens(6, 11))
    network = nn.Sequential(nn.Embedding(11, 4, padding_idx=0), nn.Linear(4, 11))
    asked = Asked(Says(network, signature), torch.tensor([[1, 2, 3, 4, 5, 6]]), torch.tensor([7]), signature)
    found_L = explain("integrated-gradients", asked)[0]
    assert found_L[:-1].abs().max() == 0
    assert found_L[-1] != 0


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (Signature(Image(1, 8, 8), Sequence(4, 3)), "one answer for each example, got a sequence of 4×3"),
        (Signature(Query(5, 2), Features(5)), "texts and numbers are explained, got a query to 5 entities"),
    ],
)
def test_what_has_no_one_answer_is_refused(signature: Signature, message: str) -> None:
    with pytest.raises(ExplainError, match=message):
        Says(nn.Identity(), signature)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.zeros(2, 4), r"axes of the inputs, \(2, 5\), got axes \(2, 4\)"),
        ([0.0], r"got \[0.0\]"),
        (torch.full((2, 5), torch.nan), "not a finite number"),
    ],
)
def test_what_is_no_attribution_is_refused(given: object, message: str) -> None:
    class Wrong:
        sums = False
        tells = "nothing"

        def __call__(self, asked: Asked) -> object:
            return given

    asked = asked_of(nn.Sequential(nn.Linear(5, 3)), torch.randn(2, 5), Features(5), [0, 0])
    with pytest.raises(ExplainError, match=message):
        explained_by(Wrong(), asked)  # type: ignore[arg-type]


def test_a_name_that_is_no_explainers_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"No explainer is called 'integrated'\. Did you mean 'integrated-gradients'"):
        find_explainer("integrated")


def test_the_explainer_of_the_documentation_explains_and_a_plugin_is_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "explain.md").read_text(encoding="utf-8")
    code = page.rpartition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    monkeypatch.setattr(
        registry, "load", lambda group, name: {("nas.explainers", "mine"): names["GradientTimesInput"]}[group, name]
    )
    network, inputs_NF = nn.Sequential(nn.Linear(5, 3)), torch.randn(4, 5)
    found = explain("mine", asked_of(network, inputs_NF, Features(5), [0, 2, 1, 2]))
    torch.testing.assert_close(found, (network[0].weight[[0, 2, 1, 2]] * inputs_NF).double().detach())
    monkeypatch.setattr(registry, "load", lambda *_: object())
    with pytest.raises(RegistryError, match="must be called with what is asked, say in `sums` whether"):
        find_explainer("mine")
