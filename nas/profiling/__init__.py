"""What a network costs: a second opinion on its multiply-adds, latency, memory. Network → figures."""

from nas.profiling.flops import second_opinion
from nas.profiling.latency import measure_latency
from nas.profiling.layers import Counts, Layer, count_layers
from nas.profiling.memory import peak_memory_bytes
from nas.profiling.resident import ResidentMemory, measure_resident_memory
from nas.profiling.sources import Source, factory, source_of
from nas.profiling.training_memory import TrainingMemory, predict_training_memory

__all__ = [
    "Counts",
    "Layer",
    "ResidentMemory",
    "Source",
    "TrainingMemory",
    "count_layers",
    "factory",
    "measure_latency",
    "measure_resident_memory",
    "peak_memory_bytes",
    "predict_training_memory",
    "second_opinion",
    "source_of",
]
