"""What a command does where nothing is said of workers."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_a_candidate_that_ends_its_process_ends_no_search_by_default(tmp_path: Path) -> None:
    """Each candidate has a process of its own unless something else is asked for."""
    (tmp_path / "crashing.py").write_text(CRASHING)
    (tmp_path / "crashing-1.dist-info").mkdir()
    (tmp_path / "crashing-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: crashing\nVersion: 1\n")
    (tmp_path / "crashing-1.dist-info" / "entry_points.txt").write_text("[nas.layers]\ncrash = crashing:Crash\n")
    (tmp_path / "space.yaml").write_text(
        "name: crashing\nversion: 1\naccepts: image\n"
        "layers:\n  - crash: {really: [true, false]}\n  - head: {pool: [average, max]}\n"
    )
    words = ["search", "space.yaml", "--on", "digits", "--trials", "4", "--epochs", "1", "--strategy", "grid", "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "NAS_WORKERS"} | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "nas", *words, "--ledger", f"sqlite:///{tmp_path}/nas.sqlite"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    ended = [event for line in done.stdout.splitlines() if (event := json.loads(line))["event"] == "trial_ended"]
    assert sorted(event["outcome"] for event in ended) == ["complete", "complete", "failed", "failed"]
    (error,) = {tuple(event["error"].items()) for event in ended if event["error"]}
    assert error[0] == ("kind", "crashed")
    assert "SIGSEGV" in error[1][1]


CRASHING = """
import os, signal
from typing import ClassVar
from torch import nn
from nas.benchmark import Image
from nas.models import Cost, LayerKind

class Crash(LayerKind):
    accepts: ClassVar = (Image,)
    really: bool = True

    def output(self, given, wanted):
        return given

    def cost(self, given, wanted):
        return Cost()

    def build(self, given, wanted):
        return Net(self.really)

class Net(nn.Module):
    def __init__(self, really):
        super().__init__()
        self.really = really

    def forward(self, images):
        if self.really and self.training and images.device.type == "cpu":
            os.kill(os.getpid(), signal.SIGSEGV)
        return images
"""
