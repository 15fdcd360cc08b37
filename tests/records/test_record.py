import getpass
import json
import re
import socket
from dataclasses import MISSING, fields, replace
from pathlib import Path

from toys import toy_record

from nas.benchmark import Budget
from nas.records import FIGURES, Derived, Epoch, Failure, Latency, Machine, Picture, Record, Replicate

MACHINE = Machine(system="Linux x86_64", processor="A Processor", cores=2, memory_gib=None)
MINIMAL = Record(outcome="infeasible", seed=0, budget=Budget(epochs=1), device="cpu", threads=1, machine=MACHINE)
FULL = Record(
    outcome="failed",
    figures={"params": 1210, "validation_accuracy": 0.1 + 0.2, "latency_ms": 1e-3},
    latency=Latency(
        median_ms=1.5, low_ms=1.4, high_ms=1.7, p95_ms=2.0, samples=100, batch_size=1, device="cuda", threads=2, dtype="float32"
    ),
    uncounted={"aten::add": 3},
    broken_limits=("params <= 1000, got 1,210",),
    curve=(
        Epoch(epoch=1, train_loss=2.3, figures={"validation_accuracy": 0.1}, seconds=0.5),
        Epoch(epoch=2, train_loss=1.9, figures={}, seconds=1.0),
    ),
    replicates=(
        Replicate(seed=7, figures={"validation_accuracy": 0.25}, curve=(), weights_sha256="1" * 64),
        Replicate(seed=8, figures={}, curve=(Epoch(epoch=1, train_loss=2.2, figures={}, seconds=0.5),)),
    ),
    error=Failure(kind="out_of_memory", message="on cuda: é ☃ \udcff"),
    notes=("fvcore counts 3 multiply-adds, torch 4; the figure is torch's.",),
    seed=7,
    budget=Budget(epochs=3, fraction=0.5, seconds=60.0, steps=100, flops=1e12),
    seconds=12.5,
    device="cuda:1",
    threads=2,
    machine=replace(MACHINE, memory_gib=16, accelerator="A GPU"),
    versions={"python": "3.11.7", "torch": "2.10.0"},
    commit="0123456789ab-dirty",
    precision="bfloat16",
    compile="auto",
    processes=2,
    network_id="0123456789abcdef",
    weights_sha256="1" * 64,
    data_sha256="2" * 64,
    loading="stream",
    pictures=(Picture(title="epoch 3", png="iVBORw0KGgo="),),
    derived=Derived(
        method="magnitude",
        options={"share": 0.75, "epochs": None},
        words="magnitude",
        parent="0123456789abcdef",
        beside=("fedcba9876543210",),
        file_bytes=100,
        figures={"share_of_zeros": 0.75},
        plain=False,
    ),
)


def through_json(record: Record) -> Record:
    return Record.from_data(json.loads(json.dumps(record.to_data(), allow_nan=False)))


def test_a_full_record_is_equal_after_json() -> None:
    for field in fields(Record):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        assert getattr(FULL, field.name) != default, f"{field.name} would not be tested"
    assert through_json(FULL) == FULL


def test_a_minimal_record_is_equal_after_json() -> None:
    assert through_json(MINIMAL) == MINIMAL


def test_a_record_of_an_evaluation_is_equal_after_json() -> None:
    record = toy_record("complete", {"params": 3}, (), seed=1, budget=Budget(epochs=2, seconds=0.5))
    assert through_json(record) == record


def test_what_was_not_measured_stays_unmeasured() -> None:
    record = through_json(MINIMAL)
    assert record.figures == {}
    assert (record.latency, record.uncounted, record.error, record.seconds, record.commit) == (None,) * 5
    assert (record.machine.memory_gib, record.machine.accelerator, record.budget.seconds) == (None,) * 3


def test_nothing_found_is_not_the_same_as_not_looked_for() -> None:
    assert through_json(replace(MINIMAL, uncounted={})).uncounted == {}


def test_a_record_of_before_a_field_existed_is_still_read() -> None:
    required = {"outcome", "seed", "budget", "device", "threads", "machine"}
    assert Record.from_data({key: value for key, value in MINIMAL.to_data().items() if key in required}) == MINIMAL


def test_a_record_names_neither_host_nor_user_nor_home() -> None:
    text = json.dumps(toy_record("complete", {"params": 3}, (), seed=0, budget=Budget(epochs=1)).to_data())
    host = socket.gethostname()
    for name in {host, host.partition(".")[0], getpass.getuser(), str(Path.home())} - {"", "/"}:
        assert not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text), name


def test_every_figure_of_time_or_memory_names_its_unit() -> None:
    for name, figure in FIGURES.items():
        assert not figure.unit or name.endswith({"ms": "_ms", "bytes": "_bytes", "s": "_seconds"}[figure.unit])
