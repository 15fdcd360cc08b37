"""A network learns: a benchmark's data and figures, and the loop that trains. Network + Examples → weights and a curve."""

from nas.training.augmentation import augment
from nas.training.checkpoints import Checkpoints
from nas.training.comparing import Comparing
from nas.training.compiling import Compile, Compiler
from nas.training.derivations import Derivation, Lineage, Retrain, Unsupported, derivation_of, restored
from nas.training.digests import digest_network, digest_sources, digest_tensors
from nas.training.feeding import Feed, Loading, as_feed, feed
from nas.training.generation import Generation
from nas.training.grouping import group, is_grouped, suit
from nas.training.hardening import scale_of, spelling_of
from nas.training.joining import joined
from nas.training.kinds import Classification, Detection, FewLabels, NextToken, Regression, Tagging
from nas.training.loop import Loop, OnStep, Report, Training, steps_within, train
from nas.training.meters import IGNORED, Meter
from nas.training.method import Loss, Method, Move
from nas.training.metrics import HITS, METRICS, Metric
from nas.training.mixing import mix
from nas.training.optimizing import make_optimizer, optimizer_of
from nas.training.places import find_data
from nas.training.private import epsilon_of, make_stepper, noise_for, unserved
from nas.training.protocols import Protocol, Setup, Stage, protocol_of, stages_of
from nas.training.ranks import OtherFailed, Ranks
from nas.training.replicates import Together, train_replicates
from nas.training.reshaping import become, cut_of, reshape
from nas.training.stepping import Stepper
from nas.training.task import Examples, Split, Task, load_task, stratified_order
from nas.training.tracing import Operator, Tracing
from nas.training.transcription import Transcription
from nas.training.validating import Answered, evaluate, measure
from nas.training.weights import digest_file, read_weights, said_of, write_tensors, write_weights

__all__ = [
    "HITS",
    "IGNORED",
    "METRICS",
    "Answered",
    "Checkpoints",
    "Classification",
    "Comparing",
    "Compile",
    "Compiler",
    "Derivation",
    "Detection",
    "Examples",
    "Feed",
    "FewLabels",
    "Generation",
    "Lineage",
    "Loading",
    "Loop",
    "Loss",
    "Meter",
    "Method",
    "Metric",
    "Move",
    "NextToken",
    "OnStep",
    "Operator",
    "OtherFailed",
    "Protocol",
    "Ranks",
    "Regression",
    "Report",
    "Retrain",
    "Setup",
    "Split",
    "Stage",
    "Stepper",
    "Tagging",
    "Task",
    "Together",
    "Tracing",
    "Training",
    "Transcription",
    "Unsupported",
    "as_feed",
    "augment",
    "become",
    "cut_of",
    "derivation_of",
    "digest_file",
    "digest_network",
    "digest_sources",
    "digest_tensors",
    "epsilon_of",
    "evaluate",
    "feed",
    "find_data",
    "group",
    "is_grouped",
    "joined",
    "load_task",
    "make_optimizer",
    "make_stepper",
    "measure",
    "mix",
    "noise_for",
    "optimizer_of",
    "protocol_of",
    "read_weights",
    "reshape",
    "restored",
    "said_of",
    "scale_of",
    "spelling_of",
    "stages_of",
    "steps_within",
    "stratified_order",
    "suit",
    "train",
    "train_replicates",
    "unserved",
    "write_tensors",
    "write_weights",
]
