"""The weights of finalists, kept beside the ledger, so that whoever wants the winner need not train it again.

    nas.sqlite.weights/STUDY/EVALUATION.safetensors        EVALUATION as the ledger names the work

A file is there whole, or not at all; work that is done again replaces its file. Where candidates run on another machine, the
folder must be shared with it. Nothing deletes these files but their owner, who may do so at any time.
"""

from contextlib import suppress
from pathlib import Path

from nas.errors import PathError
from nas.files import from_here, inside
from nas.records import Ledger, StudyEntry, Trial
from nas.records.addresses import find_address, shown_path, without_password

_KIND, _ENDING = "weights", ".safetensors"
KEPT = frozenset({"final", "derived"})
"""The stages whose weights are kept."""


class Weights:
    """The files of one study."""

    def __init__(self, ledger: Ledger, entry: StudyEntry) -> None:
        self.folder = inside(ledger.beside(_KIND).absolute(), entry.name)

    def file_of(self, trial: Trial) -> Path:
        """Where the weights of `trial` are to be kept, in a folder that is made now if that can be."""
        with suppress(OSError):  # whoever trains sees that it is not there, and says so in the Record
            self.folder.mkdir(parents=True, exist_ok=True)
        return inside(self.folder, f"{trial.evaluation}{_ENDING}")

    def tried(self, trial: Trial) -> Path:
        """Where those that come of training `trial` again are written until it is known whether they are the same."""
        return self.file_of(trial).with_suffix(".tried")

    def take(self, trial: Trial) -> Path | None:
        """Let what was tried be the weights of `trial`; None where it could not be written, as on a full disk.

        Raises:
            OSError: it cannot be.
        """
        tried = self.tried(trial)
        return tried.replace(self.file_of(trial)) if tried.is_file() else None

    def __str__(self) -> str:
        """How many there are, of what size, and where, in a sentence; empty where there are none."""
        sizes = [path.stat().st_size for path in sorted(self.folder.glob(f"*{_ENDING}"))] if self.folder.is_dir() else []
        if not sizes:
            return ""
        which = "The weights of 1 training are" if len(sizes) == 1 else f"The weights of {len(sizes):,} trainings are"
        return f"{which} in {shown(self.folder)} ({sum(sizes) / 2**20:,.1f} MiB)."


def shown(path: Path) -> str:
    """`path` for people, from the working directory where it lies in it."""
    return shown_path(from_here(path))


def missing(ledger: str, trial: Trial) -> str:
    """That the weights of `trial`, of which `weights_of` finds none, are not there, and the way out."""
    if trial.stage not in KEPT:
        return f"No weights of the {trial.title} are kept; `nas finals {trial.study}` keeps those of finalists."
    folder = find_address(without_password(ledger)).beside(_KIND)
    return (
        f"The weights of the {trial.title} are not in {shown(folder)}; bring {trial.study}/{trial.evaluation}{_ENDING} from "
        f"where they were trained, or train them again: {again_of(trial)}."
    )


def again_of(trial: Trial) -> str:
    """The command that trains `trial` again and puts its weights where they are kept."""
    return f"nas reproduce {trial.study}:{trial.number} --stage {trial.stage} --keep"


def shared_by(ledger: str) -> Path:
    """The folder for what candidates of all studies of a ledger share: their pre-trained trunks. Whoever keeps one makes it.

    Raises:
        LedgerError: the URL is none.
    """
    return find_address(without_password(ledger)).beside("trunks")


def weights_of(ledger: str, trial: Trial) -> Path | None:
    """The safetensors file with the weights of `trial`, a finalist's training or what was made of one, in the ledger at that URL;
    None where there is none: it is no such trial, it is not complete, they were not kept, or they were deleted.

    Whoever reads it compares `nas.training.digest_tensors` of it with the Record's `weights_sha256`.

    Raises:
        LedgerError: the URL is none.
    """
    if trial.stage not in KEPT or trial.state != "complete":
        return None
    folder = find_address(without_password(ledger)).beside(_KIND)
    name = f"{trial.evaluation}{_ENDING}"
    # Equal work has an equal name, also where another study has done it.
    others = sorted(path.name for path in folder.iterdir() if path.name != trial.study) if folder.is_dir() else []
    for study in (trial.study, *others):
        try:
            path = inside(inside(folder, study), name)
        except PathError:
            continue
        if path.is_file():
            return path
    return None
