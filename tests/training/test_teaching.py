"""Teachers of a training, in files."""

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import nn

from nas.benchmark import Recipe
from nas.errors import BenchmarkError, NasError
from nas.searching import SearchConfig
from nas.training import Classification, Examples, Method
from nas.training.kinds import Regression
from nas.training.teaching import pinned, softened, teachers_of

INPUTS, TARGETS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 1, 2, 0, 1])
PLAIN = Recipe(optimizer="sgd", learning_rate=0.1, batch_size=6)
TASK = Classification(lambda _: Examples(INPUTS, TARGETS))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two programs, of different networks."""
    paths = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        program = torch.export.export(nn.Linear(4, 3), (INPUTS[:2],), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        paths.append(tmp_path / f"teacher{seed}.pt2")
        torch.export.save(program, paths[-1])
    return paths


def test_a_share_of_the_loss_is_the_distance_to_the_teachers(files: list[Path]) -> None:
    torch.manual_seed(0)
    student = nn.Linear(4, 3)
    recipe = replace(PLAIN, teacher=",".join(map(str, files)), teacher_weight=0.4, temperature=2.0)
    teachers = teachers_of(recipe.teacher, torch.device("cpu"))
    assert len(teachers) == 2
    own = Method(TASK, PLAIN).loss(student, INPUTS, TARGETS)
    far = softened(student(INPUTS), teachers, INPUTS, 2.0)
    assert Method(TASK, recipe).loss(student, INPUTS, TARGETS).item() == pytest.approx((0.6 * own + 0.4 * far).item())
    assert Method(TASK, recipe).alone


def test_a_study_tells_which_file_it_was(files: list[Path]) -> None:
    teacher = str(files[0])
    config = SearchConfig.make(space="residual_cnn", on="digits", recipe={"teacher": teacher})
    told = config.definition()["recipe"]["teacher"]
    assert told == pinned(teacher) == pinned(told)
    assert told.startswith(f"{teacher}@")
    assert config.on.recipe.teacher == told
    files[0].write_bytes(files[1].read_bytes())
    with pytest.raises(BenchmarkError, match="is another file than it was"):
        teachers_of(told, torch.device("cpu"))


def test_a_recipe_without_teachers_is_told_as_it_was() -> None:
    config = SearchConfig.make(space="residual_cnn", on="digits")
    assert not {"teacher", "teacher_weight", "temperature"} & config.on.to_data()["recipe"].keys()


def test_files_that_are_no_teachers_are_refused_in_one_line(tmp_path: Path, files: list[Path]) -> None:
    with pytest.raises(NasError, match=r"cannot be read: No such file or directory; `nas export` writes one\.$"):
        SearchConfig.make(space="residual_cnn", on="digits", recipe={"teacher": str(tmp_path / "none.pt2")})
    (tmp_path / "text.pt2").write_text("no program")
    with pytest.raises(BenchmarkError, match=r"is no program of torch\.export"):
        teachers_of(str(tmp_path / "text.pt2"), torch.device("cpu"))
    with pytest.raises(BenchmarkError, match=r"A teacher answers as its student does, \(6, 5\), got \(6, 3\)"):
        softened(torch.zeros(6, 5), teachers_of(str(files[0]), torch.device("cpu")), INPUTS, 1.0)


def test_numbers_have_no_teachers(files: list[Path]) -> None:
    task = Regression(lambda _: Examples(INPUTS, torch.zeros(6, 3)))
    with pytest.raises(BenchmarkError, match="Students learn from logits of classes or of the next token, got a Regression"):
        Method(task, replace(PLAIN, teacher=str(files[0]))).loss(nn.Linear(4, 3), INPUTS, torch.zeros(6, 3))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"teacher": "a.pt2", "teacher_weight": 1.5}, "teacher_weight is a share from 0 to 1, got 1.5"),
        ({"teacher": "a.pt2", "temperature": 0.0}, "temperature is above 0, got 0.0"),
        ({"temperature": 2.0}, "are those of its teacher; name one, or leave them out"),
    ],
)
def test_options_of_teaching_are_checked(options: dict[str, float], rule: str) -> None:
    with pytest.raises(BenchmarkError, match=rule):
        replace(PLAIN, **options)


@pytest.fixture
def of_timm(tmp_path: Path) -> Path:
    """The weights of one of timm's smallest networks, for grey pictures of three classes."""
    torch.manual_seed(3)
    network = timm.create_model("test_vit", num_classes=3, in_chans=1, img_size=160)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "vit.safetensors")
    torch.save(network.state_dict(), tmp_path / "vit.safetensors.pth")  # which nobody unpickles
    return tmp_path / "vit.safetensors"


def test_a_network_of_timm_teaches_by_its_name_and_the_file_of_its_weights(of_timm: Path) -> None:
    network = timm.create_model("test_vit", num_classes=3, in_chans=1).eval()
    network.load_state_dict(safetensors.torch.load_file(of_timm))
    pictures = torch.randn(2, 1, 160, 160)
    told = pinned(f"timm:test_vit:{of_timm}")
    assert told.startswith(f"timm:test_vit:{of_timm}@")
    (teacher,) = teachers_of(told, torch.device("cpu"))
    torch.testing.assert_close(teacher(pictures), network(pictures))


@pytest.mark.parametrize(
    ("teacher", "rule"),
    [
        (
            "timm:resnet18",
            r"A teacher of timm's is timm:NAME:FILE, such as timm:resnet18:weights\.safetensors, got 'timm:resnet18'",
        ),
        ("timm:test_vot:{file}", r"timm has no network called 'test_vot'\. Did you mean 'test_vit"),
        ("timm:hf-hub:{file}", "timm has no network called 'hf-hub'"),
        ("timm:test_resnet:{file}", r"holds no weights of timm's test_resnet \(.*write its state_dict\(\) with safetensors"),
        ("timm:test_vit:{file}.pth", "holds no weights of timm's test_vit"),
        ("timm:test_vit:{file}x", "cannot be read: No such file or directory; name the file of its weights"),
    ],
)
def test_what_is_no_teacher_of_timms_is_refused_in_one_line(of_timm: Path, teacher: str, rule: str) -> None:
    with pytest.raises(BenchmarkError, match=rule) as caught:
        teachers_of(teacher.format(file=of_timm), torch.device("cpu"))
    assert len(str(caught.value)) < 600
