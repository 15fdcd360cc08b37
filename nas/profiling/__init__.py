"""What a network costs: a second opinion on its multiply-adds, latency, memory. Network → figures."""

from nas.profiling.flops import second_opinion
from nas.profiling.latency import measure_latency
from nas.profiling.memory import peak_memory_bytes

__all__ = ["measure_latency", "peak_memory_bytes", "second_opinion"]
