"""Where and how figures of time and memory came to be; only those of equal settings compare."""

from dataclasses import dataclass

from nas.records.machine import Machine

LOOKED_UP = "table"
"""The device of a Record that nothing was trained for: its figures stand in a table."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A machine, and how it was used."""

    machine: Machine
    device: str
    """"cpu", "cuda:0", or LOOKED_UP."""
    threads: int
    """Of one evaluation, on the CPU; 0 where nothing ran."""
    precision: str = "float32"
    """The number format that convolutions and matrix products are trained in; weights are float32."""
    compile: str = "never"
    """Whether training goes through torch.compile: never, always, or auto, where it pays."""
    processes: int = 1
    """That train one candidate together."""

    @property
    def use(self) -> str:
        """How the machine is used, in words: "cpu, 1 thread"."""
        if self.device == LOOKED_UP:
            return "from a table"
        words = [self.device, f"{self.threads} thread{'s' * (self.threads != 1)}"]
        if self.precision != "float32":
            words.append(self.precision)
        if self.compile != "never":
            words.append(f"compiled {self.compile}" if self.compile == "always" else "compiled where it pays")
        if self.processes != 1:
            words.append(f"{self.processes} processes")
        return ", ".join(words)

    def __str__(self) -> str:
        return f"{self.use} on machine {self.machine.id}" if self.device != LOOKED_UP else f"from the table {self.machine}"
