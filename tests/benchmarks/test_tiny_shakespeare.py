import hashlib
import os
import re
from pathlib import Path

import pytest
import torch

import benchmarks.tiny_shakespeare.task as shakespeare
from benchmarks.tiny_shakespeare import BENCHMARK
from benchmarks.tiny_shakespeare.floor import VOCABULARY, Linear, bigrams, bits
from nas.benchmark import NextTokens, Tokens
from nas.errors import BenchmarkError, DataMissing
from nas.training import Examples

SHARED = Path(os.environ.get("NAS_DATA") or Path(__file__).parents[3] / "shared" / "data")
REAL = pytest.mark.skipif(
    not (SHARED / "train" / shakespeare.FILE).is_file(), reason=f"{shakespeare.FILE} is not on this machine"
)

PINNED = {
    "train": (7_842, "1467eb63930ae3491d7ef1bb533d0cd692cebb31206b5c87ef09cd1e1b343d87"),
    "validation": (435, "b40bedef3a5570011639a0a0055150ba1b5c5e32dc4c8332a483a963c2684ab9"),
    "test": (435, "cec512eb5072bc2892e223f8dd882eb356599f01312a1924174e2bb4b4ebe74a"),
}
"""Split → how many windows, and the SHA-256 of their inputs as bytes."""


@REAL
@pytest.mark.parametrize("split", PINNED)
def test_the_windows_are_those_of_version_1(split: str) -> None:
    """Where this fails, a score means something else: raise the benchmark's version."""
    examples = shakespeare.load(SHARED).examples(split)
    digest = hashlib.sha256(examples.inputs.to(torch.uint8).numpy().tobytes()).hexdigest()
    assert (len(examples), digest) == PINNED[split]
    assert BENCHMARK.version == 1


@REAL
def test_the_text_is_found_by_file_by_folder_and_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_DATA", str(SHARED))
    for data in (SHARED / "train" / shakespeare.FILE, SHARED / "train", SHARED, None):
        examples = shakespeare.load(data).examples("validation")
        assert bytes(examples.inputs[0, :20].tolist()).translate(DECODE) == b"\n\nGREMIO:\nGood morro"


DECODE = bytes([0, *shakespeare.ALPHABET.encode(), *range(66, 256)])


@pytest.fixture
def text() -> torch.Tensor:
    """4,000 ids that count up from 1 to 65 and begin again."""
    return torch.arange(4_000) % 65 + 1


def test_splits_are_contiguous_and_do_not_overlap() -> None:
    numbered = torch.arange(4_000)
    bounds = {"train": (0, 3_600), "validation": (3_600, 3_800), "test": (3_800, 4_000)}
    for split, (begin, end) in bounds.items():
        examples = shakespeare.windows(numbered, split)
        assert len(examples) == (end - begin - 1) // 128
        assert begin <= examples.inputs.min() <= examples.targets.max() < end
        assert examples.inputs.unique().numel() == examples.inputs.numel()


def test_the_target_of_a_position_is_the_character_after_it(text: torch.Tensor) -> None:
    examples = shakespeare.windows(text, "train")
    assert examples.inputs.shape == examples.targets.shape == (28, 128)
    assert torch.equal(examples.targets[:, :-1], examples.inputs[:, 1:])
    assert torch.equal(examples.targets, examples.inputs % 65 + 1)


def test_training_windows_are_mixed_and_the_others_in_the_order_of_the_text() -> None:
    numbered = torch.arange(40_000)
    begins = shakespeare.windows(numbered, "train").inputs[:, 0].tolist()
    assert begins != sorted(begins)
    assert begins == shakespeare.windows(numbered, "train").inputs[:, 0].tolist()
    begins = shakespeare.windows(numbered, "test").inputs[:, 0].tolist()
    assert begins == sorted(begins)


def test_the_signature_leaves_id_0_to_padding() -> None:
    count = len(shakespeare.ALPHABET) + 1
    assert BENCHMARK.signature.input == Tokens(shakespeare.LENGTH, count)
    assert BENCHMARK.signature.output == NextTokens(shakespeare.LENGTH, count)


def test_figures_are_bits_per_character(tmp_path: Path) -> None:
    (tmp_path / shakespeare.FILE).write_text("")
    task = shakespeare.load(tmp_path)
    logits = torch.zeros(1, 2, 4)
    logits[0, 1, 3] = 100.0
    meter = task.meter(torch.device("cpu"))
    meter.update(logits, torch.tensor([[1, 3]]))
    assert meter.compute() == {"bits_per_character": pytest.approx(1.0), "accuracy": 0.5}


def test_a_missing_text_says_both_ways_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NAS_DATA", raising=False)
    ways = r"name the file by --data, or put it under that name into the folder that the environment variable NAS_DATA names\.$"
    with pytest.raises(DataMissing, match=rf"^tiny-shakespeare\.txt is not on this machine; .*{ways}"):
        shakespeare.load(None)
    with pytest.raises(DataMissing, match=rf"is not in {re.escape(str(tmp_path))}; .*{ways}"):
        shakespeare.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"First Citizen:\n#", "has 1,115,394 characters of 65 kinds, .* has 16 with 1 of other kinds; fetch it again from"),
        ("é".encode(), "cannot be read as plain text"),
    ],
)
def test_another_text_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "other.txt").write_bytes(content)
    with pytest.raises(BenchmarkError, match=message):
        shakespeare.load(tmp_path / "other.txt").examples("validation")


def test_the_linear_model_sums_a_row_for_each_character_back() -> None:
    model = Linear(2)
    torch.nn.init.normal_(model.rows.weight)
    rows = model.rows.weight.detach()
    logits = model(torch.tensor([[5, 7, 9]]))
    assert torch.allclose(logits[0, 0], rows[0] + rows[VOCABULARY + 5])
    assert torch.allclose(logits[0, 2], rows[7] + rows[VOCABULARY + 9])
    assert bits(Linear(3), Examples(torch.ones(2, 4, dtype=torch.int64), torch.ones(2, 4, dtype=torch.int64))) == pytest.approx(
        torch.tensor(VOCABULARY).log2().item()
    )


def test_a_table_of_bigrams_by_hand() -> None:
    """1 is followed by 2 three times and by 3 once, so that 2 has (3 + 1) / (4 + 66)."""
    training = Examples(torch.tensor([[1, 1, 1, 1]]), torch.tensor([[2, 2, 2, 3]]))
    assert bigrams(training, Examples(torch.tensor([[1]]), torch.tensor([[2]]))) == pytest.approx(
        -torch.tensor(4 / 70).log2().item()
    )
