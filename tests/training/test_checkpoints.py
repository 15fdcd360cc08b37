import json
import math
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from little import AUGMENTED, RECIPE, equal, examples, files_of_at_most, network, trained
from torch import Tensor, nn

from nas.benchmark import Budget, Objective, Recipe
from nas.device import place
from nas.errors import BenchmarkError
from nas.training import Checkpoints, Loop, Training
from nas.training.checkpoints import FORMAT, Broken, read_document, read_whole, sealed, tensors_of


class Stopped(Exception):
    """A training is broken off."""


def stopped_after(step: int, folder: Path, model: nn.Module | None = None, *, every: float = 0, **given: Any) -> Checkpoints:
    """Train with a checkpoint at each step, and break off."""
    kept = Checkpoints(folder, every)

    def on_step(loop: Loop) -> None:
        kept.on_step(loop)
        if loop.at.step == step:
            raise Stopped

    with pytest.raises(Stopped):
        trained(model or network(), begin=kept.begin, on_step=on_step, **given)
    return kept


def gone_on(folder: Path, model: nn.Module | None = None, *, every: float = 1e9, **given: Any) -> Training:
    kept = Checkpoints(folder, every)
    return trained(model or network(seed=3), begin=kept.begin, on_step=kept.on_step, **given)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def deeper(seed: int = 0) -> nn.Module:
    """A network with a convolution that lies in memory as the CPU likes it."""
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(4, 2)
    model = place(nn.Sequential(*layers), torch.device("cpu"))
    assert not model[3].weight.is_contiguous()
    return model


WENT_ON = "Went on from a checkpoint after step {} of 9."


@pytest.mark.parametrize("steps", [1, 4, 6, 9])
@pytest.mark.parametrize(
    "recipe",
    [
        AUGMENTED,
        replace(AUGMENTED, ema=0.9, mixup=0.2, optimizer="sgd"),
        replace(AUGMENTED, patience=1, accumulation=2, optimizer="lamb"),
        replace(AUGMENTED, optimizer="adafactor", gradient_norm=1.0),
        replace(AUGMENTED, adversarial="fgsm-linf-0.1", corrupt=0.5),
        replace(AUGMENTED, adversarial="pgd-l2-0.5-3", mixup=0.2),
    ],
)
def test_a_training_goes_on_from_its_files_as_if_it_had_not_stopped(recipe: Recipe, steps: int, tmp_path: Path) -> None:
    """Three steps an epoch."""
    given = {"recipe": recipe, "seed": 5, "objective": Objective("validation_loss", "minimize"), "classes": 2}
    whole, other = deeper(), deeper(seed=3)
    expected = trained(whole, **given)
    stopped_after(steps, tmp_path, deeper(), **given)
    found = gone_on(tmp_path, other, **given)
    assert equal(other, whole)
    assert [replace(point, seconds=0) for point in found.curve] == [replace(point, seconds=0) for point in expected.curve]
    assert (found.figures, found.steps) == (expected.figures, expected.steps)
    assert found.notes == (WENT_ON.format(steps), *expected.notes)


def test_a_training_may_be_stopped_many_times(tmp_path: Path) -> None:
    whole, other = network(), network(seed=3)
    trained(whole)
    for step in (2, 3, 5, 8):
        stopped_after(step, tmp_path)
    training = gone_on(tmp_path, other)
    assert equal(other, whole)
    assert training.notes == tuple(WENT_ON.format(step) for step in (2, 3, 5, 8))


def test_nothing_is_written_before_it_is_time(tmp_path: Path) -> None:
    stopped_after(8, tmp_path / "none", every=1e9)
    assert not (tmp_path / "none").exists()


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    stopped_after(7, tmp_path)
    assert names(tmp_path) == ["000006.json", "000006.safetensors", "000007.json", "000007.safetensors"]
    stopped_after(8, tmp_path)
    assert names(tmp_path) == ["000007.json", "000007.safetensors", "000008.json", "000008.safetensors"]


def test_training_seconds_go_on_too(tmp_path: Path) -> None:
    stopped_after(5, tmp_path)
    before = read_document(tmp_path / "000005.json")["data"]["at"]["seconds"]
    kept = Checkpoints(tmp_path)
    training = trained(network(), begin=kept.begin)
    assert kept.seconds_before == before > 0
    assert training.seconds > before


class Copies(nn.Module):
    """Weights of two names in one memory, a part of a larger memory, and buffers in every odd layout."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(16, 16)
        self.same = self.linear
        self.head = nn.Linear(16, 2)
        self.register_buffer("part", torch.arange(10.0)[2:5])
        self.register_buffer("gaps", torch.arange(10.0)[::3])
        self.register_buffer("turned", torch.arange(6.0).view(2, 3).t())
        self.register_buffer("none", torch.zeros(0, 3))
        self.register_buffer("bits", torch.tensor([True, False]))
        self.register_buffer("short", torch.tensor([math.pi], dtype=torch.bfloat16))

    def forward(self, images_NCHW: Tensor) -> Tensor:
        return self.head(self.same(self.linear(images_NCHW.flatten(1))))


def test_tensors_come_back_whatever_their_layout(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Copies()
    states: list[dict[str, Tensor]] = []
    kept = Checkpoints(tmp_path, 0)

    def on_step(loop: Loop) -> None:
        kept.on_step(loop)
        states.append({name: value.detach().clone() for name, value in loop.state()[0].items()})
        raise Stopped

    with pytest.raises(Stopped):
        trained(model, begin=kept.begin, on_step=on_step)
    written = read_document(tmp_path / "000001.json")["tensors"]
    found = tensors_of(read_whole(tmp_path / "000001.safetensors", written["sha256"]), written["strides"])
    assert found.keys() == states[0].keys() >= {"model.same.weight", "model.linear.weight", "random.cpu"}
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in states[0].items())
    assert found["model.turned"].stride() == (1, 3)
    assert found["random.cpu"].dtype == torch.uint8
    other = Copies()
    gone_on(tmp_path, other)
    assert other.same is other.linear
    assert len({value.untyped_storage().data_ptr() for value in found.values() if value.numel()}) == len(found) - 1


def test_moments_lie_in_memory_as_their_weights_do(tmp_path: Path) -> None:
    """A fused optimiser that walks both side by side would take a weight's moment for another's."""
    stopped_after(1, tmp_path, deeper())
    other, strides = deeper(), dict[str, tuple[int, ...]]()

    def look(loop: Loop) -> None:
        held = loop.stepper.optimizer.state[other[3].weight]
        strides.update({name: value.stride() for name, value in held.items()})

    kept = Checkpoints(tmp_path)
    trained(other, begin=kept.begin, on_step=look)
    assert strides["exp_avg"] == strides["exp_avg_sq"] == other[3].weight.stride() == (32, 1, 16, 8)


@pytest.mark.parametrize("name", ["000004.json", "000004.safetensors"])
def test_every_truncation_and_every_altered_bit_is_found(name: str, tmp_path: Path) -> None:
    stopped_after(4, tmp_path, nn.Sequential(nn.Flatten(), nn.Linear(16, 2)))
    file = tmp_path / name
    data = file.read_bytes()
    written = read_document(tmp_path / "000004.json")["tensors"]

    def read() -> object:
        return (
            read_document(file) if file.suffix == ".json" else tensors_of(read_whole(file, written["sha256"]), written["strides"])
        )

    assert read()
    step = max(1, len(data) // 400)  # about 400 places and all of the ends
    places = sorted({*range(0, len(data), step), *range(100), *range(len(data) - 100, len(data))})
    for n, place_ in enumerate(places):
        altered = bytearray(data)
        altered[place_] ^= 1 << n % 8
        for broken in (data[:place_], bytes(altered)):
            file.write_bytes(broken)
            with pytest.raises(Broken, match=f"^{name} is not as it was written$"):
                read()
    file.write_bytes(data + b"\n")
    with pytest.raises(Broken):
        read()


def break_off(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def pickled(file: Path) -> None:
    file.write_bytes(pickle.dumps(Trap()))


class Trap:
    """Whoever unpickles it fails the test."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("it was unpickled",)


@pytest.mark.parametrize(
    ("damage", "suffix"),
    [
        *((damage, suffix) for damage in (break_off, flip, empty, pickled) for suffix in ("json", "safetensors")),
        (Path.unlink, "safetensors"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(damage: Any, suffix: str, tmp_path: Path) -> None:
    whole, other = network(), network(seed=3)
    trained(whole)
    stopped_after(5, tmp_path)
    damage(tmp_path / f"000005.{suffix}")
    training = gone_on(tmp_path, other)
    assert equal(other, whole)
    said, went_on = training.notes
    assert went_on == WENT_ON.format(4)
    assert said.startswith(f"Checkpoint 5 was passed over: 000005.{suffix} ")
    stopped_after(7, tmp_path)  # what is damaged is deleted with the next one that is written
    assert names(tmp_path) == ["000007.json", "000007.safetensors", "000008.json", "000008.safetensors"]


def test_tensors_without_their_plain_data_are_what_a_kill_leaves_and_no_checkpoint(tmp_path: Path) -> None:
    stopped_after(5, tmp_path)
    (tmp_path / "000005.json").unlink()
    assert gone_on(tmp_path).notes == (WENT_ON.format(4),)
    stopped_after(5, tmp_path)
    assert names(tmp_path) == ["000004.json", "000004.safetensors", "000006.json", "000006.safetensors"]


def test_where_all_are_damaged_training_begins_anew(tmp_path: Path) -> None:
    whole, other = network(), network()
    trained(whole)
    stopped_after(5, tmp_path)
    for number in (4, 5):
        flip(tmp_path / f"00000{number}.safetensors")
    training = gone_on(tmp_path, other)
    assert equal(other, whole)
    assert training.notes == tuple(
        f"Checkpoint {number} was passed over: 00000{number}.safetensors is not as it was written." for number in (5, 4)
    )


def test_files_of_others_are_neither_read_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(pickle.dumps(Trap()))
    (tmp_path / "notes").mkdir()
    stopped_after(3, tmp_path)
    assert {"weights.pt", "notes"} <= set(names(tmp_path))


def test_what_a_kill_left_unfinished_is_deleted_with_the_next_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "000001.safetensors.123.part").write_bytes(b"torn")
    stopped_after(1, tmp_path)
    assert names(tmp_path) == ["000001.json", "000001.safetensors"]


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"seed": 1}, "seed"),
        ({"recipe": replace(RECIPE, learning_rate=0.02)}, "recipe"),
        ({"budget": Budget(epochs=4)}, "budget"),
        ({"on": examples(41)}, "number of examples"),
        ({"on": examples(60)}, "length"),
        ({"model": nn.Sequential(nn.Flatten(), nn.Linear(16, 2))}, "network"),
        ({"model": nn.Sequential(*network()[:3], nn.Dropout(0.2), network()[4])}, "network"),
        ({"objective": Objective("validation_loss", "minimize")}, "objective"),
        ({"precision": "bfloat16"}, "number format"),
    ],
)
def test_the_checkpoints_of_another_training_are_passed_over_and_left_alone(
    changed: dict[str, Any], part: str, tmp_path: Path
) -> None:
    stopped_after(3, tmp_path)
    before = names(tmp_path)
    training = gone_on(tmp_path, **changed)
    said = [f"Checkpoint {number} was passed over: it is of a training with another {part}." for number in (3, 2)]
    assert list(training.notes) == said
    stopped_after(2, tmp_path, **changed)
    assert set(before) < set(names(tmp_path))


def test_checkpoints_of_other_versions_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped_after(1, tmp_path)
    monkeypatch.setattr("nas.training.checkpoints.versions", lambda: {"torch": "2.9.0"})
    training = gone_on(tmp_path)
    assert training.notes == ("Checkpoint 1 was passed over: it is of a training with another set of versions.",)


def test_a_checkpoint_of_another_format_is_passed_over(tmp_path: Path) -> None:
    stopped_after(1, tmp_path)
    file = tmp_path / "000001.json"
    document = json.loads(file.read_bytes())["state"]
    file.write_bytes(sealed(json.dumps(document | {"format": FORMAT + 1}).encode()))
    assert gone_on(tmp_path).notes == (f"Checkpoint 1 was passed over: it has format {FORMAT + 1}, this version reads {FORMAT}.",)


def test_numbers_come_back_to_the_bit_and_those_that_json_has_not_come_back_too(tmp_path: Path) -> None:
    numbers = [0.1 + 0.2, 5e-324, -0.0, 1e308, 1 / 3, math.inf, -math.inf, math.nan]
    kept = Checkpoints(tmp_path, 0)

    def begin(loop: Loop) -> None:
        kept.begin(loop)
        loop.state = lambda: ({}, {"numbers": numbers, "pair": (1, None)})  # type: ignore[method-assign]

    trained(network(), begin=begin, on_step=kept.on_step, budget=Budget(epochs=1))
    newest = max(tmp_path.glob("*.json"))
    json.loads(newest.read_bytes(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    found = read_document(newest)["data"]
    assert [repr(number) for number in found["numbers"]] == [repr(number) for number in numbers]
    assert found["pair"] == [1, None]


def test_a_full_disk_costs_a_note_and_not_the_training(tmp_path: Path) -> None:
    whole, other = network(), network()
    trained(whole)
    with files_of_at_most(4_096):
        training = gone_on(tmp_path, other, every=0)
    assert equal(other, whole)
    assert training.notes == ("After step 1 no checkpoint could be written (File too large).",)
    assert names(tmp_path) == []


def test_a_file_in_the_folders_place_costs_a_note_too(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("not a folder")
    training = gone_on(tmp_path / "taken", every=0)
    assert training.notes == ("After step 1 no checkpoint could be written (File exists).",)


class Telling(nn.Linear):
    """Has a state that is no tensor."""

    def get_extra_state(self) -> dict[str, int]:
        return {"told": 1}

    def set_extra_state(self, state: Any) -> None:
        pass


def test_a_state_that_is_not_of_tensors_costs_a_note_too(tmp_path: Path) -> None:
    training = gone_on(tmp_path, nn.Sequential(nn.Flatten(), Telling(16, 2)), every=0)
    assert training.ended == "complete"
    assert training.notes == (
        "After step 1 no checkpoint could be written (model.1._extra_state is no tensor but of type dict).",
    )


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before_it(tmp_path: Path) -> None:
    stopped_after(2, tmp_path)
    with files_of_at_most(4_096):
        stopped_after(5, tmp_path)
    other, whole = network(seed=3), network()
    trained(whole)
    notes = gone_on(tmp_path, other).notes
    assert equal(other, whole)
    assert notes == (WENT_ON.format(2),)


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan])
def test_seconds_between_checkpoints_are_checked(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"^Seconds between two checkpoints are at least 0, got (-1.0|inf|nan).$"):
        Checkpoints(tmp_path, seconds)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_training_on_the_gpu_goes_on_from_its_files(optimizer: str, tmp_path: Path) -> None:
    device = torch.device("cuda")
    given = {"recipe": replace(AUGMENTED, optimizer=optimizer), "on": examples().to(device), "seed": 5}
    whole, other = (place(network(seed), device) for seed in (0, 3))
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        trained(whole, **given)
        stopped_after(4, tmp_path, place(network(), device), **given)
        training = gone_on(tmp_path, other, **given)
    finally:
        torch.use_deterministic_algorithms(False)
    assert equal(other, whole)
    assert training.notes == (WENT_ON.format(4),)
