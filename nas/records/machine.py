"""Where and with what a figure came to be: the machine, the versions, the commit. Nothing that names a person or a host."""

import hashlib
import os
import platform
import subprocess
from dataclasses import astuple, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("nas-harness", "torch", "torchvision", "timm", "torchmetrics", "fvcore", "optuna", "numpy", "scikit-learn")
"""The packages whose versions can change a figure."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What figures of time and memory depend on."""

    system: str
    processor: str
    cores: int
    """Logical cores that this process may use; 0 where the processor stands for a table, in which figures were looked up."""
    memory_gib: int | None
    """None where the system does not tell."""
    accelerator: str | None = None
    """The GPU's name; None where candidates run on the processor."""

    @property
    def id(self) -> str:
        """Eight hexadecimal digits, equal on machines that are alike."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:8]

    def __str__(self) -> str:
        if not self.cores:
            return self.processor
        gpu = f", {self.accelerator}" if self.accelerator else ""
        memory = f", {self.memory_gib} GiB" if self.memory_gib is not None else ""
        return f"{self.processor}, {self.cores} cores{memory}{gpu}, {self.system}"


def this_machine(accelerator: str | None = None) -> Machine:
    """The machine that this process runs on; `accelerator` is the GPU in use, if any."""
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=usable_cores(),
        memory_gib=_memory_gib(),
        accelerator=accelerator,
    )


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that can change a figure; nothing is imported for it."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def commit() -> str | None:
    """The commit of the harness's own checkout, with "-dirty" after changes; None where it was installed from a wheel."""
    here = Path(__file__).resolve()
    try:
        tracked = _git("ls-files", "--error-unmatch", here.name, folder=here.parent)
        if not tracked:
            return None
        head = _git("rev-parse", "--short=12", "HEAD", folder=here.parent)
        dirty = _git("status", "--porcelain", "--untracked-files=no", folder=here.parent)
    except (OSError, subprocess.SubprocessError):
        return None
    return (f"{head}-dirty" if dirty else head) if head else None  # a repository without a commit has no HEAD


def _git(*arguments: str, folder: Path) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - fixed words
    return done.stdout.strip() if done.returncode == 0 else ""


def usable_cores() -> int:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        return None
