"""Candidates that misbehave in every way there is, and those that stay for too long."""

import re
from functools import partial
from typing import Any

from frame import Outcome, Row, Scene, spread
from starting import PATIENCE_SECONDS, Driver, Missed, alive, nobody_left, trials, until

LIMIT_SECONDS = 1.0
LATE_SECONDS = 2.0

SPACE = """
name: misbehaving
version: 1
accepts: image
layers:
  - conv: {{features: 8, kernel: 3, stride: 2}}
  - misbehaves: {{how: [{hows}]}}
    name: layer
  - head
"""


def of_every_kind(scene: Scene) -> Outcome:
    """One study, by real training of networks, of which all but one misbehave."""
    import misbehaving
    from misbehaving import BOUNDS, EXPECTED, PATIENT

    kinds = [how for how in EXPECTED if how != "nothing"]
    assert len(kinds) == KINDS
    if scene.short:  # those that are to overstay have a row of their own, and the others all the time they need
        kinds = scene.rng.sample([how for how in kinds if (EXPECTED[how] or ("",))[0] != "timed_out"], scene.times)
    misbehaving.install(scene.folder)
    notes, ledger = scene.folder / "notes", scene.sqlite()
    options: dict[str, Any] = {
        "space": SPACE.format(hows=", ".join(["nothing", *kinds])),
        "strategy": "grid",
        "trials": len(kinds) + 1,
        "epochs": 3,
        "fraction": 0.1,
        "workers": 2,
        "time_limit": (PATIENT if scene.short else BOUNDS).seconds,
        "memory_limit": BOUNDS.memory_bytes,
        "file_bytes": BOUNDS.file_bytes,
    }
    missed = []
    with nobody_left(notes):
        with Driver(notes, ledger, evaluate="", **options) as driver:
            try:
                driver.end(300)
            except Missed as error:
                missed.append(str(error))
        try:
            until(lambda: not alive(notes), "the end of all processes", PATIENCE_SECONDS if scene.short else 3)
        except Missed as error:
            missed.append(str(error))
    came_of = {str(trial.architecture.choices["layer.how"]): trial for trial in trials(ledger)}
    right = 0
    for how in ["nothing", *kinds]:
        record = came_of[how].record if how in came_of else None
        expected = EXPECTED[how]
        if record is None:
            missed.append(f"{how}: there is no Record")
        elif expected is None and record.outcome != "complete":
            missed.append(f"{how}: {record.outcome}, {record.error}")
        elif expected is not None and (
            record.error is None or record.error.kind != expected[0] or not re.search(expected[1], record.error.message)
        ):
            missed.append(f"{how}: {record.outcome}, {record.error}, and not {expected[0]}")
        else:
            right += how != "nothing"
        scene.tell(right)
    others = "done" if "nothing" in came_of and came_of["nothing"].state == "complete" else "not done"
    result = f"{right} of {len(kinds)} kinds with the right reason or, where they do no harm, a result; the other: {others}"
    return Outcome(times=len(kinds), result=result, counts={"kinds": len(kinds), "right": right}, missed=missed)


def limits(scene: Scene) -> Outcome:
    """A study of which three in four candidates overstay; they are begun until enough of them have been."""
    notes, ledger = scene.folder / "notes", scene.sqlite()
    options: dict[str, Any] = {"evaluate": "overstays", "workers": 2, "time_limit": LIMIT_SECONDS, "trials": 4 * scene.times + 8}
    missed = []
    took: list[float] = []
    with nobody_left(notes), Driver(notes, ledger, **options) as driver:
        ended = partial(driver.notes.of, "trial_ended", outcome="failed")
        try:
            while len(ended()) < scene.times:
                before = len(ended())
                until(lambda before=before: len(ended()) > before or driver.process.poll() is not None, "the end of a candidate")
                scene.tell(len(ended()))
                if driver.process.poll() is not None:
                    driver.end(0)
                    break
        except Missed as error:
            missed.append(str(error))
        driver.kill()
        begun = {line["architecture"]: line["at"] for line in driver.notes.of("begun")}
        took = [line["at"] - begun[line["architecture"]] for line in ended() if line["architecture"] in begun]
    failed = [trial.record for trial in trials(ledger) if trial.record is not None and trial.record.error is not None]
    kinds = {record.error.kind for record in failed if record.error is not None}
    if kinds != {"timed_out"}:
        missed.append(f"reasons are {', '.join(sorted(kinds)) or 'none'}")
    late = [seconds for seconds in took if seconds > LIMIT_SECONDS + LATE_SECONDS]
    if late and not scene.short:
        missed.append(f"{len(late)} were killed late, the last after {max(late):.2f} s")
    early = [record.seconds for record in failed if record.seconds is not None and record.seconds < LIMIT_SECONDS]
    if early:
        missed.append(f"{len(early)} were killed early, the first after {min(early):.2f} s")
    if len(took) < scene.times:
        missed.append(f"only {len(took)} of {scene.times} candidates were ended")
    counts = {"late": len(late), "seconds_longest": round(max(took, default=0.0), 3)}
    return Outcome(
        times=len(took),
        result=f"{len(took)} killed at a limit of {LIMIT_SECONDS:g} s: {spread(took)}",
        counts=counts,
        missed=missed,
    )


KINDS = 17
"""Of `misbehaving.EXPECTED`, which loads torch, without the one that does nothing."""

ROWS = (
    Row(
        name="bad_candidates",
        test="16 kinds of bad candidates, memory of host and device apart",
        goal="each with the right reason, all others done",
        how=(
            "One study of 18 networks that `nas.search` trains on the digits with two workers, by a layer that does it at the "
            "fourth step; kinds and reasons are in tests/execution/misbehaving.py. Memory of a device is short by what torch "
            "raises there, since the machine has none. Afterwards no process of any may be left."
        ),
        short=5,
        long=KINDS,
        run=of_every_kind,
        slow=True,
    ),
    Row(
        name="limits",
        test="a limit of T seconds",
        goal="killed within T + 2 s",
        how=(
            f"T is {LIMIT_SECONDS:g} s; candidates sleep, loop, or block all signals and leave a looping child in a session "
            "of its own. From the candidate's own first statement to the event of its end, by when all that it started is dead "
            "too."
        ),
        short=6,
        long=50,
        run=limits,
        slow=True,
    ),
)
