"""Python, the packages and the optional ones, against what the installed project asks for; nothing is imported for it."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from nas.doctor.check import Check, advice, ok, problem

PROJECT = "nas-harness"

PURPOSES: Mapping[str, str] = {
    "compare": "significance tests of `nas compare`",
    "energy": "the energy of a forward pass",
    "hub": "strategies of OptunaHub",
    "nni": "NNI's tuners as strategies",
    "onnx": "latency by ONNX Runtime",
    "parquet": "tables in Parquet files",
    "postgresql": "one ledger for many machines",
    "ray": "candidates on a Ray cluster",
    "slurm": "candidates on a SLURM cluster",
    "tensorboard": "learning curves in TensorBoard",
    "text": "benchmarks of text",
}
"""Extra → what it is for."""

NOT_FOR_USERS = {"dev"}

TIED = ("torchvision", "torchaudio")
"""Packages that are built for one release of torch."""


def check_software() -> Iterator[Check]:
    """Python, packages, torch's companions, and extras."""
    try:
        found = distribution(PROJECT)
    except PackageNotFoundError:
        yield problem("packages", f"{PROJECT} is not installed, only its source is found", "pip install --editable .")
        return
    yield _python((found.metadata.get_all("Requires-Python") or [""])[0])
    needs = [need for text in found.requires or () if (need := _requirement(text)) is not None]
    own = [need for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    yield from _packages(own)
    yield from _companions()
    yield from _extras(needs, found.metadata.get_all("Provides-Extra") or [])


def _requirement(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def _python(asked: str) -> Check:
    version = platform.python_version()
    if not SpecifierSet(asked).contains(version, prereleases=True):
        return problem("python", f"{version}, and {asked} is asked for", "make an environment with such a Python")
    return ok("python", f"{version} ({asked} is asked for)" if asked else version)


def lacking(need: Requirement) -> str:
    """What is wrong with `need`, in words; empty where it is met."""
    try:
        version = distribution(need.name).version
        met = need.specifier.contains(Version(version), prereleases=True)
    except PackageNotFoundError:
        return f"{need.name} is missing"
    except InvalidVersion:
        return f"{need.name} has a version that cannot be read"
    return "" if met else f"{need.name} {version} is installed, {need.specifier} is asked for"


def _packages(needs: list[Requirement]) -> Iterator[Check]:
    missing = {str(need.name) + str(need.specifier): words for need in needs if (words := lacking(need))}
    for wanted, words in missing.items():
        yield problem("packages", words, f"pip install '{wanted}'")
    if not missing:
        yield ok("packages", f"{len(needs)} as they are asked for")


def _companions() -> Iterator[Check]:
    """Whether what was built for one release of torch finds that release."""
    try:
        torch = distribution("torch").version
    except PackageNotFoundError:
        return  # told as a missing package
    fitting = [f"torch {torch}"]
    for name in TIED:
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        wanted = next((need for text in package.requires or () if (need := _requirement(text)) and need.name == "torch"), None)
        # A local part, as in 2.14.1+cpu, names a build of the same release.
        if wanted is not None and not wanted.specifier.contains(torch.partition("+")[0], prereleases=True):
            change = f"pip install 'torch{wanted.specifier}', or the {name} that belongs to torch {torch}"
            yield problem("torch", f"{name} {package.version} is built for torch{wanted.specifier}, found is {torch}", change)
        else:
            fitting.append(f"{name} {package.version}")
    yield ok("torch", ", ".join(fitting))


def _extras(needs: list[Requirement], extras: list[str]) -> Iterator[Check]:
    present = []
    for extra in sorted({*extras} - NOT_FOR_USERS):
        own = [need for need in needs if need.marker and need.marker.evaluate({"extra": extra}) and _only(need)]
        words = [found for need in own if (found := lacking(need))]
        purpose = PURPOSES.get(extra, "an option")
        if not words:
            present.append(extra)
        elif len(words) < len(own) or any("is asked for" in text for text in words):
            yield advice(f"extra {extra}", f"{'; '.join(words)}; for {purpose}", f"pip install '{PROJECT}[{extra}]'")
        else:
            yield ok(f"extra {extra}", f"not installed; for {purpose}: pip install '{PROJECT}[{extra}]'")
    if present:
        yield ok("extras", f"{', '.join(present)} installed")


def _only(need: Requirement) -> bool:
    """Whether it is an extra's, and not asked for in any case."""
    return need.marker is not None and not need.marker.evaluate({"extra": ""})
