"""What a network costs: multiply-adds, latency (to report, to rank), throughput, energy, memory. Network → figures."""

from nas.profiling.backends import Backend, missing_for_onnx, quiet_exporter, session
from nas.profiling.energy import Energy, measure_energy, why_no_energy
from nas.profiling.flops import second_opinion
from nas.profiling.interleaving import Place, Standing, rank_by_latency
from nas.profiling.latency import measure_latency
from nas.profiling.layers import Counts, Layer, count_layers
from nas.profiling.memory import peak_memory_bytes
from nas.profiling.profiler import Memory, Profile, profile, rank_sources
from nas.profiling.reference import Reading
from nas.profiling.resident import ResidentMemory, measure_resident_memory
from nas.profiling.sources import Source, factory, input_size, source_of
from nas.profiling.throughput import Batch, Throughput, measure_throughput
from nas.profiling.training_memory import TrainingMemory, predict_training_memory
from nas.profiling.warmth import warm_process

__all__ = [
    "Backend",
    "Batch",
    "Counts",
    "Energy",
    "Layer",
    "Memory",
    "Place",
    "Profile",
    "Reading",
    "ResidentMemory",
    "Source",
    "Standing",
    "Throughput",
    "TrainingMemory",
    "count_layers",
    "factory",
    "input_size",
    "measure_energy",
    "measure_latency",
    "measure_resident_memory",
    "measure_throughput",
    "missing_for_onnx",
    "peak_memory_bytes",
    "predict_training_memory",
    "profile",
    "quiet_exporter",
    "rank_by_latency",
    "rank_sources",
    "second_opinion",
    "session",
    "source_of",
    "warm_process",
    "why_no_energy",
]
