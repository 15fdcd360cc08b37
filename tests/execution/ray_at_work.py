"""What test_on_ray.py starts, since Ray changes the process it is in: `python ray_at_work.py WHAT FOLDER`; prints JSON."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from hearing import Heard, job
from losing import lose
from toys import toy_evaluate

from nas.benchmark import Budget
from nas.errors import BenchmarkError, NasError
from nas.execution import Bounds, Evaluate
from nas.execution.lineage import descendants
from nas.execution.on_ray import OnRay
from nas.records import Epoch, Record
from nas.space import Architecture

SHORT, LONG, CRASHING = Budget(epochs=7), Budget(epochs=99), Budget(epochs=66)


class Evaluator:
    """The toy's, and what the number of epochs says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with (folder / "made").open("a") as file:
            file.write(f"{os.getpid()}\n")

    def __call__(
        self, architecture: Architecture, *, budget: Budget, seed: int, report: Callable[[Epoch], bool], final: bool = False
    ) -> Record:
        self.note(f"begun {seed}")
        record = toy_evaluate(architecture, budget=budget, seed=seed, report=report, final=final)
        if budget == CRASHING:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep({LONG: 60.0, SHORT: 0.4}.get(budget, 0.0))
        self.note(f"done {seed}")
        return record

    def note(self, what: str) -> None:
        with (self.folder / "work").open("a") as file:
            file.write(f"{what}\n")


def refusing() -> Evaluate:
    raise BenchmarkError("The data are missing; bring them.")


def until_begun(ray: OnRay, heard: Heard, number: int) -> None:
    while not heard.of(number, "begun"):
        ray.wait(0.1)


def first(ray: OnRay) -> Any:
    while not (ended := ray.wait(10)):
        pass
    return ended[0]


def below() -> list[int]:
    """The processes that this one started, and theirs."""
    return descendants(os.getpid())


def listening() -> set[str]:
    """The addresses that they listen on, as the kernel writes them."""
    sockets = set()
    for file in (file for process in [os.getpid(), *below()] for file in Path(f"/proc/{process}/fd").glob("*")):
        with suppress(OSError):
            sockets.add(os.readlink(file))
    lines = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {words[1].partition(":")[0] for words in lines if words[3] == "0A" and f"socket:[{words[9]}]" in sockets}


def shows(token: str) -> bool:
    """Whether a process was told it where others may read."""
    for process in below():
        with suppress(OSError):
            for place in ("cmdline", "environ"):
                if token.encode() in Path(f"/proc/{process}/{place}").read_bytes():
                    return True
    return False


def local(folder: Path) -> dict[str, Any]:
    """A cluster of our own: everything that an executor does."""
    heard = Heard()
    before = signal.getsignal(signal.SIGTERM)
    began = time.monotonic()
    result: dict[str, Any] = {}
    with OnRay(partial(Evaluator, folder), heard, workers=2, bounds=Bounds()) as ray:
        result["start_seconds"] = time.monotonic() - began
        ray.ready()
        result["places"] = (ray.slots, ray.free)
        result["listening"] = sorted(listening())
        result["handler_kept"] = signal.getsignal(signal.SIGTERM) == before
        result["shown"] = shows(Path(os.environ["RAY_AUTH_TOKEN_PATH"]).read_text())
        result["folder"] = str(Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent)
        result["mode"] = oct(Path(result["folder"]).stat().st_mode)[-3:]

        ray.start(job(1, seed=1))
        ended = first(ray)
        result["complete"] = ended.record == toy_evaluate(job().architecture, budget=job().budget, seed=1)
        result["told"] = [told for told in heard.told if told[1] == 1]

        heard.stop = True
        ray.start(job(2, seed=2, asks=frozenset({"epoch"})))
        result["pruned"] = first(ray).record.outcome
        ray.start(job(3, seed=3))
        result["not_asked"] = first(ray).record.outcome
        heard.stop = False

        began = time.monotonic()
        for number in range(20):
            ray.start(job(1000 + number, seed=9))
            first(ray)
        result["job_ms"] = (time.monotonic() - began) / 20 * 1e3
        asked = job(4, seed=4, asks=frozenset({"epoch"}), budget=Budget(epochs=80))
        began = time.monotonic()
        ray.start(asked)
        first(ray)
        result["answer_ms"] = (time.monotonic() - began) / 80 * 1e3
        result["all_epochs"] = len(heard.of(4))

        with OnRay(refusing, Heard(), workers=1, cpus=0, bounds=Bounds()) as another:  # on the cluster that is joined already
            try:
                another.ready()
            except NasError as error:
                result["refused"] = (type(error).__name__, str(error))
        result["misfortunes"] = misfortunes(ray, heard)
    result["left"] = below()
    result["folder_left"] = Path(result["folder"]).exists()
    return result


def misfortunes(ray: OnRay, heard: Heard) -> dict[str, Any]:
    """What befalls candidates and workers, and at the end all of them."""
    result: dict[str, Any] = {}
    ray.start(job(11, seed=11, budget=CRASHING))
    record = first(ray).record
    result["crash"] = (record.outcome, record.error.kind)

    ray.start(job(12, seed=12, budget=LONG))
    until_begun(ray, heard, 12)
    result["silent"] = ray.silent(job(12))
    ray.cancel(job(12))
    result["free_after_cancel"] = ray.free
    ray.start(job(13, seed=13))
    result["after_cancel"] = (first(ray).job.id, ray.wait(0.5))

    ray.start(job(14, seed=14, budget=LONG))
    until_begun(ray, heard, 14)
    actor = next(one for one in ray._workers if one.job is not None)
    os.kill(actor.place.process, signal.SIGKILL)
    began = time.monotonic()
    ended = first(ray)
    result["killed"] = (ended.job.id, ended.lost, ended.record, ended.reason == f"Ray worker {actor.number} is gone", ray.free)
    result["heard_after"] = time.monotonic() - began
    while ray.free < 2:
        ray.wait(0.1)
    result["replaced_after"] = time.monotonic() - began

    for number in (15, 16):
        ray.start(job(number, seed=number, budget=LONG))
        until_begun(ray, heard, number)
    began = time.monotonic()
    ray.interrupt()
    stopped = [first(ray), first(ray)]
    result["interrupted"] = sorted((one.job.id, one.lost, one.record, one.reason) for one in stopped)
    result["interrupted_after"] = time.monotonic() - began
    return result


def killed(folder: Path) -> None:
    """A run that is killed in the middle of a candidate."""
    heard = Heard()
    ray = OnRay(partial(Evaluator, folder), heard, workers=1, bounds=Bounds())
    ray.start(job(1, seed=1, budget=LONG))
    until_begun(ray, heard, 1)
    (folder / "processes").write_text(json.dumps(below()))
    (folder / "private").write_text(os.environ["RAY_AUTH_TOKEN_PATH"])
    os.kill(os.getpid(), signal.SIGKILL)


def node(folder: Path, *given: str) -> subprocess.Popen[str]:
    """A node, which nothing but a kill ends."""
    command = [sys.executable, str(Path(__file__).with_name("ray_node.py")), str(folder), *given]
    with (folder / "nodes.txt").open("a") as out:
        return subprocess.Popen(command, env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, stderr=out, text=True)


def nodes(folder: Path) -> dict[str, Any]:
    """A cluster of three nodes that was there before, one of which is lost in the middle."""
    place = Path(tempfile.mkdtemp(prefix="nas-", dir="/tmp"))  # a socket's path must be short
    started = [node(place, "0")]
    address = started[0].stdout.readline().strip()
    try:
        for _ in range(2):  # two at once are too much for one head
            started.append(node(place, "2", address))
            assert started[-1].stdout.readline().strip() == address
        return lose_one(folder, address, started[1])
    finally:
        for one in started:
            lose(one)
            one.communicate()
        shutil.rmtree(place, ignore_errors=True)


def lose_one(folder: Path, address: str, victim: subprocess.Popen[str]) -> dict[str, Any]:
    """Twelve candidates on four workers, with attempts of our own, as a search counts them."""
    todo, done, lost = list(range(1, 13)), [], []
    reasons = set()
    lost_at = killed_at = 0.0
    with OnRay(partial(Evaluator, folder), Heard(), address=address, workers=4, bounds=Bounds()) as ray:
        while ray.free < 4:
            ray.wait(0.1)
        while len(done) < 12:
            while todo and ray.free:
                number = todo.pop(0)
                ray.start(job(number, seed=number, budget=SHORT))
            for ended in ray.wait(1):
                if ended.lost:
                    lost_at = lost_at or time.monotonic()
                    lost.append(ended.job.id)
                    todo.append(ended.job.id)
                    reasons.add(ended.reason)
                else:
                    done.append(ended.job.id)
            if not killed_at and len(done) >= 3:
                killed_at = time.monotonic()
                lose(victim)
        free = ray.free
    return {"done": done, "lost": lost, "reasons": sorted(reasons), "lost_after": lost_at - killed_at, "free": free}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
