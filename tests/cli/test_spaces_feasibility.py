import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nas.cli import main
from nas.models import Cost, cost
from nas.searching import resolve_benchmark
from nas.space import architectures, read_space

SMALL = """
name: small
version: 1
accepts: image
layers:
  - repeat: block
    times: {int: [0, 2]}
    layers:
      - conv: {features: [4, 8], kernel: [1, 3]}
  - norm: {kind: layer, groups: [2, 4]}
  - head
limits: ["flops <= 1e6"]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "small.yaml").write_text(SMALL)
    return str(tmp_path / "small.yaml")


@pytest.fixture
def ask(file: str) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(main, ["spaces", "feasibility", file, "--on", "digits", *words])


@pytest.fixture
def costs(file: str) -> list[Cost]:
    space = read_space(file)
    return [cost(space, architecture, resolve_benchmark("digits").signature) for architecture in architectures(space)]


def test_people_are_told_sizes_shares_and_idle_choices(ask: Callable[..., Result], costs: list[Cost]) -> None:
    done = ask("--limit", "params <= 200", "--limit", "latency_ms <= 1")
    assert done.exit_code == 0
    share = 100 * sum(one.params <= 200 for one in costs) / len(costs)
    told = done.stdout
    assert "small v1 on digits v1\n42 architectures, all of them looked at.\n" in told
    assert f"params <= 200: {share:.3g} % of the architectures.\n" in told
    assert "flops <= 1000000: 100 % of the architectures.\n" in told
    assert "latency_ms <= 1: known only where it is measured.\n" in told
    assert "21 different networks; 100 % of the architectures are the same network as another.\n" in told
    (idle,) = (line for line in told.splitlines() if "norm.groups" in line)
    assert re.fullmatch(r"norm\.groups changes nothing: 100 % \([\d.]+ to 100\) of \d+ changes gave the same network\.", idle)
    for line, values in (("parameters", [one.params for one in costs]), ("FLOPs", [one.flops for one in costs])):
        words = next(row for row in told.splitlines() if row.startswith(line)).split()
        assert (words[1], words[5], words[6]) == (f"{min(values):,}", f"{max(values):,}", "proven")


def test_a_limit_that_nothing_meets_ends_with_status_1(ask: Callable[..., Result], costs: list[Cost]) -> None:
    done = ask("--limit", "params <= 5")
    assert done.exit_code == 1
    smallest = min(one.params for one in costs)
    assert f"No network keeps to params <= 5: the smallest has {smallest} params; move the limit." in done.stdout


def test_scripts_get_the_same_as_json(ask: Callable[..., Result], costs: list[Cost]) -> None:
    data = json.loads(ask("--json", "--limit", "params <= 200").stdout)
    assert (data["architectures"], data["looked_at"], data["whole"], data["networks"]) == (42, 42, True, 21)
    assert data["figures"]["params"]["reach"] == [min(one.params for one in costs), max(one.params for one in costs)]
    assert data["figures"]["params"]["smallest_architecture"]["block.times"] == 0
    assert data["within"]["value"] == sum(one.params <= 200 and one.flops <= 1e6 for one in costs) / len(costs)
    assert [idle["choice"] for idle in data["idle"]] == ["norm.groups"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "params < = 5"], "nas: a limit reads like 'params <= 50e3', got 'params < = 5'.\n"),
        (["--on", "tiny_shakespeare"], "nas: The space 'small' accepts image, 'tiny_shakespeare' feeds 128 tokens of 66.\n"),
        (["--limit", "parms <= 800"], "nas: No figure of digits is called 'parms'. Did you mean 'params'? Known: "),
        (["--samples", "3"], "nas: Invalid value for '--samples': 3 is not in the range 100<=x<=1000000. See "),
    ],
)
def test_what_is_asked_wrongly_is_one_line(ask: Callable[..., Result], words: list[str], message: str) -> None:
    done = ask(*words)
    assert done.exit_code == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
