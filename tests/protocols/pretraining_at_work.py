"""What two processes do in test_pretraining_together.py: candidates that are pre-trained first, one of which is killed.

pretraining_at_work.py killed FOLDER      the first process dies in the middle of the pre-training
pretraining_at_work.py gone_on FOLDER     it is gone on with, and others beside it; what came of each, as JSON
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from toy_texts import BENCHMARK, ToyTexts, architecture, benchmark, space

import nas.evaluation.candidate
from nas.errors import Interrupted, SearchError
from nas.evaluation import Evaluator
from nas.profiling import latency
from nas.training import Checkpoints, Loop, Ranks, joined

CHOSEN = {"pool": "max", "frozen": 0.5, "rank": 2}
STAGES = 8, 6
"""Steps of the pre-training and of the fine-tuning."""


def evaluator(ranks: Ranks, store: Path) -> Evaluator:
    return Evaluator(space(), benchmark(), device="cpu", ranks=ranks, store=store)


class First:
    """The first process, which evaluates; the others follow."""

    def __init__(self, ranks: Ranks, folder: Path) -> None:
        self.ranks, self.folder = ranks, folder

    def train(self, store: str, kept: str = "", every: float = 1e9, leave_at: int = 0, **given: Any) -> dict[str, Any]:
        """What came of a candidate; left by `stopping` in the step `leave_at`, of both stages together."""
        steps: list[int] = []
        on_step = given.pop("on_step", lambda _: None)

        def counting(loop: Loop) -> None:
            steps.append(loop.at.step)
            on_step(loop)

        try:
            record = evaluator(self.ranks, self.folder / store)(
                architecture(**given.pop("chosen", CHOSEN)),
                budget=BENCHMARK.budget,
                seed=0,
                on_step=counting,
                stopping=lambda: 0 < leave_at <= len(steps),
                checkpoints=Checkpoints(self.folder / kept, every) if kept else None,
            )
        except Interrupted:
            return {"left": True, "steps": len(steps)}
        timed = ("train_seconds", "pretrain_seconds", "latency_ms")
        return {
            "outcome": record.outcome,
            "error": str(record.error),
            "weights": record.weights_sha256,
            "figures": {name: value for name, value in record.figures.items() if name not in timed},
            "steps": len(steps),
            "notes": record.notes,
            "processes": record.processes,
        }


def killed(first: First) -> None:
    def die(loop: Loop) -> None:
        if loop.at.step == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    first.train("trunks", "killed", every=0.0, on_step=die)


def gone_on(first: First) -> dict[str, Any]:
    told = {"gone_on": first.train("trunks", "killed"), "used_again": first.train("trunks", chosen={**CHOSEN, "frozen": 0})}
    told |= {"whole": first.train("others"), "whole_again": first.train("new", chosen={**CHOSEN, "frozen": 0})}
    told |= {"left": first.train("third", "left", leave_at=STAGES[0] + 2), "after": first.train("third", "left")}
    told["alone"] = First(Ranks(), first.folder).train("trunks")
    return told


if __name__ == "__main__":
    latency.WARMUP_SECONDS = latency.SAMPLE_SECONDS = 0.0
    nas.evaluation.candidate.load_task = lambda *_: ToyTexts()  # type: ignore[assignment]
    what, folder = sys.argv[1], Path(sys.argv[2])
    with joined(wait_minutes=2) as ranks:
        if ranks.leads:
            told = {"killed": killed, "gone_on": gone_on}[what](First(ranks, folder))
            (folder / "told.json").write_text(json.dumps(told))
        else:
            try:
                for wanted in ranks.orders():
                    try:
                        evaluator(ranks, folder / "nobody's").follow(wanted)
                    except RuntimeError:  # rank 0 has left the training
                        continue
            except SearchError as error:
                sys.stdout.write(f"{error}\n")
