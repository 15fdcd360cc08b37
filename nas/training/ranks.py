"""Several processes that train one candidate together, each on its share of every batch; rank 0 speaks for all.

They begin with equal weights and step by the same sum of gradients, so that their weights stay equal. Whatever they do together
begins with a meeting, where each tells whether it is well. So a failure on one ends the training on all, at the same place, and
none waits for what will never come.
"""

import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import torch
import torch.distributed
from torch import Tensor, nn
from torch.distributed.distributed_c10d import Store

from nas.chance import Shared
from nas.device import is_out_of_memory
from nas.errors import SearchError
from nas.training.interrupts import Interrupts

Result = TypeVar("Result")

WELL, ASKING, FAILED = 0, 1, 2
"""What a process tells at a meeting: all is well; it wants what `anyone` asks about; its training has failed."""

LOOK_SECONDS = 0.01
"""Between two looks of a process that has nothing to do for what rank 0 wants."""


class OtherFailed(RuntimeError):
    """The candidate failed in another process; the text says how."""


@dataclass
class Ranks:
    """This process among `size`; without a store it is alone, and all below is what a single process does."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Among the processes of this machine."""
    store: Store | None = None
    """What they tell each other in words."""
    apart: bool = field(default=True, init=False)
    """Whether this process takes part in nothing that the others wait for."""
    interrupts: Interrupts = field(default_factory=Interrupts, init=False)
    urged: bool = field(default=False, init=False)
    """Whether all have heard that one of them urges (see `urge`); it changes at meetings alone, in all at once."""
    _urging: bool = field(default=False, init=False)
    writes: bool = field(default=False, init=False)
    """Whether the training under way is written down where something is urged: a signal then waits until it was."""
    _met: int = field(default=0, init=False)
    _told: int = field(default=0, init=False)
    _orders: int = field(default=0, init=False)

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.store is None

    @property
    def leads(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def device(self, name: str | None) -> str | None:
        """The device of this process where `name` is asked for: of several processes each has a GPU of its own.

        Raises:
            SearchError: one GPU is asked for by its number.
        """
        if self.alone:
            return name
        if name is None:
            name = "cuda" if torch.cuda.is_available() else "cpu"  # Apple's GPU has no way to talk to another process
        if name.startswith("cuda:"):
            raise SearchError(f"Each of {self.size} processes takes a GPU of its own: give the device 'cuda', got {name!r}.")
        return f"cuda:{self.local_rank}" if name == "cuda" else name

    # One after another: rank 0 orders, all work, and part again.

    def order(self, wanted: Mapping[str, Any] | None) -> None:
        """Tell the others what is to be done next, as plain data; None for nothing more."""
        if self.store is not None:
            self.store.set(f"order/{self._orders}", json.dumps(wanted))
            if self._orders:
                self.store.delete_key(f"order/{self._orders - 1}")  # they have met since then, so that all have read it
            self._orders += 1

    def orders(self) -> Iterator[Mapping[str, Any]]:
        """What rank 0 wants, one after another until there is nothing more, or this process is told to stop."""
        assert self.store is not None  # noqa: S101 - one of several
        with self.interrupts:
            while (wanted := self._next_order(self.store)) is not None:
                yield wanted

    def _next_order(self, store: Store) -> Mapping[str, Any] | None:
        key = f"order/{self._orders}"
        while not self._reach(lambda: store.check([key])):
            if self.interrupts.came:
                return None
            time.sleep(LOOK_SECONDS)
        self._orders += 1
        wanted: Mapping[str, Any] | None = json.loads(self._reach(lambda: store.get(key)))
        return wanted

    @contextmanager
    def working(self, wanted: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Within it all processes do the same; rank 0 gives the order. What is raised in one of them is raised in all.

        Raises:
            KeyboardInterrupt: one of them was sent SIGINT or SIGTERM; it waits until they meet, and for what `writes`.
            OtherFailed: something was raised in another.
            MemoryError: another had no memory left.
            SearchError: another has gone, or does not answer in time.
        """
        if self.alone or not self.apart:  # within another
            yield
            return
        if self.leads:
            self.order(wanted)
        self.apart = self.writes = False
        with self.interrupts if self.leads else nullcontext():  # elsewhere they are kept in `orders`
            try:
                yield
                self.meet()  # none goes on before all are done
            except BaseException as error:
                if not self.apart:
                    self._fail(error)
                raise
            finally:
                self.apart = True
        if self.interrupts.came and self.leads:  # after the last meeting
            raise KeyboardInterrupt

    def _fail(self, error: BaseException) -> None:
        """Tell the others at the next meeting that this process has failed, and how."""
        assert self.store is not None  # noqa: S101 - one of several
        kind = "out_of_memory" if is_out_of_memory(error) else "raised"
        told = {"rank": self.rank, "kind": kind, "message": f"{type(error).__name__}: {error}"[:400]}
        self.store.set(f"failure/{self._met}", json.dumps(told))
        try:
            self._vote(FAILED, 0)
        except SearchError:  # they have gone already; `error` says more
            return

    # Together: each of these begins with a meeting.

    def meet(self, wish: int = WELL, mark: int = 0) -> tuple[int, bool]:
        """Wait until all are here; returns the largest wish, and whether all marks are equal.

        Raises:
            KeyboardInterrupt, OtherFailed, MemoryError, SearchError: see `working`.
        """
        if self.alone:
            return wish, True
        assert self.store is not None  # noqa: S101 - one of several
        if self.interrupts.came and self.writes:
            self.urge()
        elif self.interrupts.came:
            self.store.set(f"failure/{self._met}", json.dumps({"kind": "interrupted"}))
            wish = FAILED
        met = self._met
        largest, same = self._vote(wish, mark)
        if largest < FAILED:
            return largest, same
        self.apart = True
        told = json.loads(self._reach(lambda: self.store.get(f"failure/{met}")))  # type: ignore[union-attr]
        if told["kind"] == "interrupted":
            raise KeyboardInterrupt
        words = f"process {told['rank']}: {told['message']}"
        raise MemoryError(words) if told["kind"] == "out_of_memory" else OtherFailed(words)

    def _vote(self, wish: int, mark: int) -> tuple[int, bool]:
        """The largest wish of all, and whether their marks are equal: on the CPU, so that no GPU is waited for."""
        votes = torch.tensor([wish, mark, -mark, self._urging])
        self._reach(lambda: torch.distributed.all_reduce(votes, torch.distributed.ReduceOp.MAX))
        self._met += 1
        largest, most, least, urged = votes.tolist()
        self.urged = self.urged or bool(urged)
        return largest, most == -least

    def urge(self) -> None:
        """Let all hear at the next meeting, whatever it is for, that something is due: no step has a meeting more for it."""
        self._urging = True

    def calm(self) -> None:
        """What was due is done; all say so at one place."""
        self._urging = self.urged = False

    def _reach(self, work: Callable[[], Result]) -> Result:
        """What `work` comes to, which needs the others.

        Raises:
            SearchError: one of them has gone, or did not answer in time.
        """
        try:
            return work()
        except RuntimeError as error:  # torch has no closer class for a connection that ends within a collective
            self.apart = True
            if self.interrupts.came:
                raise KeyboardInterrupt from error
            raise SearchError(
                f"One of {self.size} processes that train together has ended, or did not answer in time; see what it printed, or "
                "let them wait longer with --wait-minutes. The same command goes on."
            ) from error

    def anyone(self, wish: bool) -> bool:
        """Whether any process wishes so."""
        return self.meet(int(wish))[0] == ASKING

    def agreed(self, value: Result) -> Result:
        """What rank 0 has: plain data."""
        if self.store is None:
            return value
        key = f"told/{self._told % 2}"  # who reads a value has not met again, so that two places are enough
        if self.leads:
            self.store.set(key, json.dumps(value))
        self.meet()
        self._told += 1
        told: Result = value if self.leads else json.loads(self._reach(lambda: self.store.get(key)))  # type: ignore[union-attr]
        return told

    def from_first(self, work: Callable[[], Result]) -> Result:
        """What `work` comes to on rank 0, plain data for all; no other process does it."""
        return self.agreed(work() if self.leads else cast("Result", None))

    def spread(self, data: bytes) -> bytes:
        """What rank 0 has, of whatever length; what the others give is not looked at."""
        if self.alone:
            return data
        length = self.agreed(len(data))
        held = torch.frombuffer(bytearray(data), dtype=torch.uint8) if self.leads else torch.empty(length, dtype=torch.uint8)
        self.meet()
        self._reach(lambda: torch.distributed.broadcast(held, src=0))
        return held.numpy().tobytes()

    def collect(self, data: bytes) -> list[bytes]:
        """What each has, in the order of ranks."""
        if self.alone:
            return [data]
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        self.meet()
        self._reach(lambda: torch.distributed.all_gather(lengths, torch.tensor([len(data)])))
        most = max(int(length) for length in lengths)
        mine = torch.frombuffer(bytearray(data.ljust(most, b"\0")), dtype=torch.uint8)
        held = [torch.empty_like(mine) for _ in lengths]
        self.meet()
        self._reach(lambda: torch.distributed.all_gather(held, mine))
        return [part.numpy().tobytes()[: int(length)] for part, length in zip(held, lengths, strict=True)]

    def total(self, value: Tensor) -> Tensor:
        """The sum of `value` over all processes."""
        if not self.alone:
            self.meet()
            self._reach(lambda: torch.distributed.all_reduce(value))
        return value

    def level(self, model: nn.Module) -> None:
        """Give all processes the weights and buffers of rank 0."""
        if self.alone:
            return
        self.meet()
        for value in model.state_dict().values():
            held = value.contiguous()
            self._reach(lambda held=held: torch.distributed.broadcast(held, src=0))  # type: ignore[misc]
            value.copy_(held)

    # The batch, the chance and the gradients of each.

    def share(self, picked: Tensor) -> Tensor:
        """This process's part of a batch; parts differ by one example at most, and may be empty."""
        begin, count = self.span(len(picked))
        return picked[begin : begin + count]

    def span(self, of: int, rank: int | None = None) -> tuple[int, int]:
        """Where the part of this process, or of `rank`, of a batch of so many begins, and how many examples it has."""
        rank = self.rank if rank is None else rank
        each, more = divmod(of, self.size)
        return rank * each + min(rank, more), each + (rank < more)

    def chance(self, common: torch.Generator, seed: int, step: int, of: int) -> torch.Generator:
        """What is drawn from for this process's part of the batch of so many examples that `step` is for.

        What is drawn for each example comes from `common`, which stands at the same place in all; see `nas.chance`.
        """
        return common if self.alone else Shared.made(common, self.seed(seed, step), of, *self.span(of))

    def gather(self, own: Sequence[Tensor], of: int, device: torch.device) -> tuple[Tensor, ...]:
        """What all processes have for the examples of a batch of so many, in the batch's order, equal in all.

        The first axis of each of `own` counts the examples of this process's part; `own` is empty where the part is. Gradients
        reach what is this process's own: of a loss that each finds of the whole, summed over all processes, they are the whole's.
        """
        if self.alone:
            return tuple(own)
        if of < self.size:
            own = self._with_none(own, device)
        most = self.span(of, 0)[1]
        sent = [_padded(one.detach(), most) for one in own]
        held = [[torch.empty_like(one) for _ in range(self.size)] for one in sent]
        self.meet()
        for parts, one in zip(held, sent, strict=True):
            self._reach(lambda parts=parts, one=one: torch.distributed.all_gather(parts, one))  # type: ignore[misc]
        counts = [self.span(of, rank)[1] for rank in range(self.size)]
        return tuple(
            torch.cat([one if rank == self.rank else part[: counts[rank]].to(one.dtype) for rank, part in enumerate(parts)])
            for one, parts in zip(own, held, strict=True)
        )

    def _with_none(self, own: Sequence[Tensor], device: torch.device) -> Sequence[Tensor]:
        """`own`, or tensors of no example where this process has none; rank 0, which always has one, says of which shapes."""
        told: list[Any] = self.agreed([[list(one.shape[1:]), str(one.dtype).removeprefix("torch.")] for one in own])
        if own:
            return own
        return [torch.empty(0, *shape, dtype=getattr(torch, dtype), device=device) for shape, dtype in told]

    def seed(self, seed: int, step: int = 0) -> int:
        """A seed of this process's own for `step`, so that no two erase or drop the same; alone, `seed` itself."""
        return seed if self.alone else zlib.crc32(f"{seed}:{step}:{self.rank}".encode())

    def add_up(self, model: nn.Module, *, well: bool) -> bool:
        """Make every gradient the sum over all processes; False, and nothing is summed, where one of them is not `well`.

        A parameter has a gradient afterwards where any process has one for it.
        """
        if self.alone:
            return well
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        present_P = torch.tensor([int(parameter.grad is not None) for parameter in parameters])
        # All that takes memory comes before the meeting: after it, none may fail while another waits for its gradients.
        summed = torch.cat([_gradient(parameter).flatten() for parameter in parameters]) if well else torch.empty(0)
        wish, same = self.meet(WELL if well else ASKING, zlib.crc32(bytes(present_P.tolist())))
        if wish == ASKING:
            return False
        if not same:
            self._reach(lambda: torch.distributed.all_reduce(present_P, torch.distributed.ReduceOp.MAX))
        self._reach(lambda: torch.distributed.all_reduce(summed))
        parts = torch.split(summed, [parameter.numel() for parameter in parameters])
        for parameter, present, part in zip(parameters, present_P.tolist(), parts, strict=True):
            if present:
                parameter.grad = _gradient(parameter)
                parameter.grad.copy_(part.view_as(parameter))
        return True


def _padded(values: Tensor, count: int) -> Tensor:
    """With rows up to `count`, as every process sends as many; what is true or false is sent as numbers."""
    values = values.to(torch.uint8) if values.dtype == torch.bool else values
    return torch.cat([values, values.new_zeros(count - len(values), *values.shape[1:])])


def _gradient(parameter: nn.Parameter) -> Tensor:
    return parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
