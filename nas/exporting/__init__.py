"""A network to take home: plain PyTorch source, a program, an ONNX graph, each checked against the network itself."""

from nas.exporting.source import Source, write_source

__all__ = ["Source", "write_source"]
