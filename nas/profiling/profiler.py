"""All that one network costs, in the order in which it becomes known: counted on meta, traced, measured."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from nas.device import accelerator, place, seeded
from nas.errors import ModelError, NasError, printable
from nas.profiling.backends import Backend
from nas.profiling.energy import Energy, measure_energy, why_no_energy
from nas.profiling.flops import check_macs
from nas.profiling.inputs import Inputs, batch_of
from nas.profiling.interleaving import Standing, rank_by_latency
from nas.profiling.latency import measure_latency
from nas.profiling.layers import Counts, count_layers
from nas.profiling.memory import peak_memory_bytes
from nas.profiling.resident import ResidentMemory, measure_resident_memory
from nas.profiling.sources import Source, factory
from nas.profiling.throughput import Throughput, measure_throughput
from nas.profiling.training_memory import TrainingMemory, predict_training_memory
from nas.profiling.working import WORK, Step, Work
from nas.records import Latency, Setting, this_machine

Say = Callable[[str], None]
Figure = TypeVar("Figure")


@dataclass(frozen=True, kw_only=True)
class Memory:
    """The most memory that a network was seen to take; None where nothing tells."""

    inference_bytes: int | None
    training_bytes: int | None
    """In a step of AdamW."""
    how: str
    """Who counted: CUDA's allocator, or the resident set of a fresh process, which holds Python and torch too."""
    base_bytes: int | None = None
    """Resident before the network was made, and part of `inference_bytes`; None where that holds the network alone."""
    training_base_bytes: int | None = None
    """Likewise of `training_bytes`, which another process took; the two differ by some pages."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a network costs. What was not asked for, or could not be measured, is None."""

    setting: Setting
    batch_size: int
    """Of what was measured; counts are of one example."""
    counts: Counts
    training_batch: int
    """Of training: as large, but two at least, since batch normalisation does not train on one."""
    training_memory: TrainingMemory
    """Predicted, on a batch of that size."""
    second_macs: int | None
    """Multiply-adds by fvcore, which traces a real pass."""
    uncounted: dict[str, int]
    """Operators whose cost neither counter knows, and how often each ran."""
    latencies: tuple[Latency, ...]
    """One a backend."""
    memory: Memory | None
    throughput: Throughput | None
    energy: Energy | None
    notes: tuple[str, ...]
    """What a reader of the figures should know."""

    @property
    def agree(self) -> bool:
        """Whether both counters give the same multiply-adds."""
        return self.second_macs == self.counts.macs


def profile(
    source: Source,
    inputs: Inputs,
    *,
    device: torch.device,
    threads: int = 1,
    batch_size: int = 1,
    backends: Sequence[Backend] = ("eager",),
    memory: bool = True,
    throughput: bool = False,
    energy: bool = False,
    say: Say = lambda _: None,
) -> Profile:
    """What the network of `source` costs, fed with a shape or the size of one example, on `device`.

    `say` is told what is under way. Memory takes some seconds on a CPU, since two fresh processes load torch for it;
    throughput and energy take some seconds each.

    Raises:
        ModelError: the network cannot be made, or does not take such inputs.
        SearchError: a backend is not there, or computes something else than the network.
    """
    make, notes = factory(source), list[str]()
    training_batch = max(2, batch_size)
    with _undisturbed(threads, device):
        say("counting on the meta device")
        counts = _counted(make, inputs)
        predicted = predict_training_memory(make, inputs, batch_size=training_batch)
        say("tracing a pass")
        network = make()
        second, uncounted, doubts = check_macs(network, inputs, counts)
        notes += doubts
        place(network, device)
        batch = batch_of(inputs, device, batch_size)
        latencies = []
        for backend in backends:
            say(f"measuring latency, {backend}")
            with _running("latency"):
                latencies.append(measure_latency(network, batch, backend=backend))
        notes += [f"{latency.backend}: {latency.disturbed}" for latency in latencies if latency.disturbed]
        say("measuring memory")
        seen = _memory(source, make, inputs, device, (batch_size, training_batch), threads, notes) if memory else None
        say("measuring throughput")
        with _running("throughput"):
            through = measure_throughput(network, batch_of(inputs, device)) if throughput else None
        say("measuring energy")
        with _running("energy"):
            joules = measure_energy(network, batch) if energy else None
        if energy and joules is None:
            notes.append(why_no_energy(device) or "Energy could not be measured.")
    return Profile(
        setting=Setting(machine=this_machine(accelerator(device)), device=str(device), threads=threads),
        batch_size=batch_size,
        training_batch=training_batch,
        counts=counts,
        training_memory=predicted,
        second_macs=second,
        uncounted=dict(uncounted),
        latencies=tuple(latencies),
        memory=seen,
        throughput=through,
        energy=joules,
        notes=tuple(notes),
    )


@contextmanager
def _undisturbed(threads: int, device: torch.device) -> Iterator[None]:
    """Within it torch has so many threads; threads and random numbers are as before when it ends."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with seeded(0, device):
            yield
    finally:
        torch.set_num_threads(before)


def _counted(make: Callable[[], nn.Module], inputs: Inputs) -> Counts:
    try:
        return count_layers(make, inputs)
    except NasError:
        raise
    except Exception as error:  # somebody's network may raise anything
        reason = printable(" ".join(str(error).split()))[:200]
        raise ModelError(f"The network does not take such inputs; give others. {type(error).__name__}: {reason}") from error


@contextmanager
def _running(figure: str) -> Iterator[None]:
    """Within it somebody's network runs, which may raise anything, though it was counted: that is told in one line."""
    try:
        yield
    except NasError:
        raise
    except Exception as error:
        reason = printable(" ".join(str(error).split()))[:200]
        raise ModelError(f"The network failed while its {figure} was measured. {type(error).__name__}: {reason}") from error


def _memory(
    source: Source,
    make: Callable[[], nn.Module],
    inputs: Inputs,
    device: torch.device,
    sizes: tuple[int, int],
    threads: int,
    notes: list[str],
) -> Memory:
    """At inference and in training, on batches of `sizes`; `notes` are told why one of them is None."""

    def seen(measure: Callable[[Work, int], Figure], work: Work, batch_size: int) -> Figure | None:
        try:
            with _running(f"memory in {work}"):
                return measure(work, batch_size)
        except ModelError as error:  # what else was measured stands without it
            notes.append(str(error))
            return None

    def allocated(work: Work, batch_size: int) -> int:
        return _allocated(make, inputs, device, batch_size, work)

    def resident(work: Work, batch_size: int) -> ResidentMemory | None:
        return measure_resident_memory(source, inputs, work, batch_size=batch_size, threads=threads)

    if device.type == "cuda":
        return Memory(
            inference_bytes=seen(allocated, "inference", sizes[0]),
            training_bytes=seen(allocated, "training", sizes[1]),
            how="CUDA's allocator",
        )
    inference, training = seen(resident, "inference", sizes[0]), seen(resident, "training", sizes[1])
    return Memory(
        inference_bytes=inference.peak_bytes if inference else None,
        training_bytes=training.peak_bytes if training else None,
        how="resident set of a fresh process",
        base_bytes=inference.base_bytes if inference else None,
        training_base_bytes=training.base_bytes if training else None,
    )


def _allocated(make: Callable[[], nn.Module], inputs: Inputs, device: torch.device, batch_size: int, work: Work) -> int:
    def begin() -> tuple[nn.Module, Step]:
        network = place(make(), device)
        return network, WORK[work](network, batch_of(inputs, device, batch_size))

    return peak_memory_bytes(begin, device)


def rank_sources(
    sources: Sequence[Source],
    inputs: Inputs,
    *,
    device: torch.device,
    threads: int = 1,
    batch_size: int = 1,
    backend: Backend = "eager",
) -> Standing:
    """The networks of `sources` in the order of their latency, timed in turns; see `rank_by_latency`.

    Raises:
        ModelError: a network cannot be made.
        SearchError: the backend is not there, or cannot run one of them.
    """
    with _undisturbed(threads, device):
        networks = [place(factory(source)(), device) for source in sources]
        with _running("latency"):
            return rank_by_latency(networks, batch_of(inputs, device, batch_size), backend=backend)
