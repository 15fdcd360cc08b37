"""What the probes found, as checks: the GPU, the fork server, the plugins."""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nas import registry
from nas.doctor.check import Check, advice, gib, ok, problem, tidy
from nas.doctor.probing import plugins

SECONDS = 120.0
"""After which a probe is ended."""

SLOW_FORK = 0.5
"""Seconds from which starting a process costs more than a small candidate's training."""

LONGEST = 1_000_000
"""Characters of a probe's answers that are read."""


@dataclass(frozen=True)
class Probed:
    """What a probe answered, and how it ended."""

    answers: tuple[dict[str, Any], ...]
    failure: str
    """In words; empty where it came to its end."""


def probe(*words: str, seconds: float = SECONDS) -> Probed:
    """Run one probe in a process of its own."""
    command = [sys.executable, "-m", "nas.doctor.probing", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds, check=False)  # noqa: S603 - own words
        output, failure = done.stdout, _failure(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else (error.stdout or "")
        failure = f"it has not ended after {seconds:g} s"
    except OSError as error:
        output, failure = "", f"no process can be started: {error.strerror}"
    return Probed(tuple(_answers(output[:LONGEST])), failure)


def _failure(code: int, said: str) -> str:
    if code == 0:
        return ""
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"it was ended by {names.get(-code, f'signal {-code}')}"
    lines = [line for line in said.splitlines() if line.strip()]
    return tidy(lines[-1])[:200] if lines else f"it ended with status {code}"


def _answers(output: str) -> Iterator[dict[str, Any]]:
    for line in output.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def check_gpu() -> Iterator[Check]:
    """The GPUs that torch can use, and the driver's word."""
    driver = _driver()
    probed = probe("gpu")
    if probed.failure:
        yield problem("gpu", f"torch cannot be tried: {probed.failure}", "install torch anew")
        return
    built, devices = probed.answers[0].get("built"), probed.answers[1:]
    for device in devices:
        if not device["works"]:
            yield problem("gpu", f"{device['name']} computes wrongly", "use --device cpu; have the card checked")
        elif "free" in device and device["free"] < device["total"] / 2:
            said = f"{device['name']}: {gib(device['free'])} of {gib(device['total'])} free"
            yield advice("gpu", said, "see `nvidia-smi` for who uses the rest")
        else:
            memory = f", {gib(device['free'])} of {gib(device['total'])} free" if "free" in device else ""
            yield ok("gpu", f"{device['name']}{memory}" + (f"; driver {driver}" if driver else ""))
    if not devices and driver:
        change = "install the torch that fits the driver" if built else "install a torch that is built for CUDA"
        yield problem("gpu", f"the driver {driver} is there, and torch {probed.answers[0]['torch']} sees no GPU", change)
    elif not devices:
        yield ok("gpu", "none; candidates run on the processor")


def _driver() -> str:
    """The NVIDIA driver's version; empty where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return tidy(done.stdout.splitlines()[0]) if done.returncode == 0 and done.stdout.strip() else ""


def check_forking() -> Iterator[Check]:
    """Whether workers' processes can be started."""
    probed = probe("forking", seconds=60)
    if probed.failure or len(probed.answers) < 2 or any(found["exit"] != 0 for found in probed.answers):
        yield problem("workers", f"no process can be forked: {probed.failure or 'it failed'}", "search without --workers")
        return
    first, later = (found["seconds"] for found in probed.answers)
    said = f"a process starts and ends in {later * 1000:,.0f} ms (the first, with its server, in {first * 1000:,.0f} ms)"
    if later > SLOW_FORK:
        yield advice("workers", said, "a machine with less load, or fewer --workers")
    else:
        yield ok("workers", said)


def check_plugins() -> Iterator[Check]:
    """Whether every search space, benchmark and layer that is installed loads; one that crashes takes no other down."""
    known = plugins()
    loaded: Counter[str] = Counter()
    first = 0
    while first < len(known):
        probed = probe("plugins", str(first))
        under_way = first
        ended: set[int] = set()
        for found in probed.answers:
            under_way = int(found["number"])
            if "error" not in found:
                continue
            ended.add(under_way)
            if found["error"]:
                yield problem("plugins", found["error"], "uninstall or mend its package")
            else:
                loaded[registry.NOUNS[known[under_way][0]]] += 1
        if not probed.failure:
            break
        if under_way in ended or not probed.answers:
            yield problem("plugins", f"they cannot be tried: {probed.failure}", "run `python -c 'import nas'`")
            break
        title = registry.title(*known[under_way])
        yield problem("plugins", f"The {title} cannot be loaded: {probed.failure}", "uninstall or mend its package")
        first = under_way + 1
    words = ", ".join(f"{count} {noun}{'s' * (count != 1)}" for noun, count in loaded.items())
    if loaded:
        yield ok("plugins", f"{words} load")
