"""A network to take home: plain PyTorch source, a program, an ONNX graph, each checked against the network itself."""

from nas.exporting.card import Origin, card, figures_data
from nas.exporting.folder import HandedOver, hand_over
from nas.exporting.forms import FILES, FORMS, TOLERANCE, Form, Forms, Written, check_forms, load_source, write_forms
from nas.exporting.source import WEIGHTS, Source, write_source

__all__ = [
    "FILES",
    "FORMS",
    "TOLERANCE",
    "WEIGHTS",
    "Form",
    "Forms",
    "HandedOver",
    "Origin",
    "Source",
    "Written",
    "card",
    "check_forms",
    "figures_data",
    "hand_over",
    "load_source",
    "write_forms",
    "write_source",
]
