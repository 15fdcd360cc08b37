"""How the modules of our own layers, and those of timm that they are built on, are made in plain torch."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from timm.layers import Conv2dSame, GluMlp, LayerNorm2d, Mlp, PatchEmbed, SelectAdaptivePool2d, SqueezeExcite, activations
from timm.layers.conv_bn_act import ConvNormAct
from timm.layers.norm_act import BatchNormAct2d
from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual
from torch import nn

from nas.errors import ExportError
from nas.exporting.blocks import pictures, sequences, sound
from nas.exporting.expressions import Call, Expression, Layers
from nas.models import wiring
from nas.models.layers import (
    attention,
    audio,
    convolution,
    head,
    modality,
    ngrams,
    patch,
    pointwise,
    position,
    recurrent,
    shipped,
    shipped_texts,
    transformer,
)
from nas.models.layers import sequence_convolution as along

if TYPE_CHECKING:
    from nas.exporting.modules import Modules

ACTIVATIONS: Mapping[type, str] = {
    nn.Identity: "nn.Identity",
    nn.ReLU: "nn.ReLU",
    nn.LeakyReLU: "nn.LeakyReLU",
    nn.ReLU6: "nn.ReLU6",
    nn.GELU: "nn.GELU",
    nn.SiLU: "nn.SiLU",
    nn.Hardswish: "nn.Hardswish",
    nn.Sigmoid: "nn.Sigmoid",
    nn.Tanh: "nn.Tanh",
    activations.GELU: "nn.GELU",
    activations.Sigmoid: "nn.Sigmoid",
    activations.Tanh: "nn.Tanh",
}
"""Modules that are a function of every number, and torch's class."""


def _conv_norm_act(write: "Modules", module: ConvNormAct, path: str) -> Expression:
    conv, norm = module.conv, module.bn
    _check(type(conv) is nn.Conv2d and _usual_norm(norm) and module.aa is None, module, path)
    kernel, stride, dilation = conv.kernel_size[0], conv.stride[0], conv.dilation[0]
    _check(conv.padding == ((stride - 1 + dilation * (kernel - 1)) // 2,) * 2, module, path)
    return write.call(
        pictures.ConvNormAct,
        conv.in_channels,
        conv.out_channels,
        kernel,
        stride=stride,
        dilation=dilation,
        groups=conv.groups,
        bias=conv.bias is not None,
        **_act(write, norm, path),
    )


def _squeeze_excite(write: "Modules", module: Any, path: str) -> Expression:
    plain = isinstance(module.bn, nn.Identity) and not module.add_maxpool and type(module.gate) is activations.Sigmoid
    _check(plain, module, path)
    act = write.activation(module.act, f"{path}.act")
    return write.call(pictures.SqueezeExcite, module.fc1.in_channels, module.fc1.out_channels, act)


def _residual(write: "Modules", module: convolution.ResidualBlock, path: str) -> Expression:
    convolutions = [write.expression(module.get_submodule(name), f"{path}.{name}") for name in module.names]
    return write.call(
        pictures.ResidualBlock,
        *convolutions,
        shortcut=write.child(module, "shortcut", path),
        squeeze_excite=write.child(module, "squeeze_excite", path),
        act=write.activation(module.act, f"{path}.act"),
    )


def _same_conv(write: "Modules", module: Conv2dSame, path: str) -> Expression:
    single = all(len(set(pair)) == 1 for pair in (module.kernel_size, module.stride, module.dilation))
    _check(single and module.padding_mode == "zeros", module, path)
    return write.call(
        pictures.SameConv2d,
        module.in_channels,
        module.out_channels,
        module.kernel_size[0],
        stride=module.stride[0],
        dilation=module.dilation[0],
        groups=module.groups,
        bias=module.bias is not None,
    )


def _norm_act(write: "Modules", module: BatchNormAct2d, path: str) -> Expression:
    _check(_usual_norm(module, module.eps), module, path)
    act = write.activation(module.act, f"{path}.act")
    return write.call(pictures.BatchNormAct, module.num_features, act, eps=module.eps)


def _inverted(write: "Modules", module: InvertedResidual, path: str) -> Expression:
    eps = module.bn1.eps
    _check(all(_usual_norm(norm, eps) for norm in (module.bn1, module.bn2, module.bn3)), module, path)
    wide, filters, narrow = module.conv_pw, module.conv_dw, module.conv_pwl
    _check(_usual_filter(filters) and wide.kernel_size == narrow.kernel_size == (1, 1), module, path)
    channels, features, stride = wide.in_channels, narrow.out_channels, filters.stride[0]
    _check(module.conv_s2d is None and module.has_skip == (channels == features and stride == 1), module, path)
    return write.call(
        pictures.InvertedResidual,
        channels,
        features,
        wide.out_channels,
        filters.kernel_size[0],
        stride=stride,
        act=write.activation(module.bn1.act, f"{path}.bn1.act"),
        squeeze_excite=write.child(module, "se", path),
        same=isinstance(filters, Conv2dSame),
        eps=eps,
    )


def _depthwise(write: "Modules", module: DepthwiseSeparableConv, path: str) -> Expression:
    filters, mix, eps = module.conv_dw, module.conv_pw, module.bn1.eps
    _check(_usual_norm(module.bn1, eps) and _usual_norm(module.bn2, eps) and _usual_filter(filters), module, path)
    channels, features, stride = filters.in_channels, mix.out_channels, filters.stride[0]
    skips = module.has_skip == (channels == features and stride == 1)
    _check(module.conv_s2d is None and not module.has_pw_act and skips and mix.kernel_size == (1, 1), module, path)
    return write.call(
        pictures.DepthwiseSeparable,
        channels,
        features,
        filters.kernel_size[0],
        stride=stride,
        act=write.activation(module.bn1.act, f"{path}.bn1.act"),
        squeeze_excite=write.child(module, "se", path),
        same=isinstance(filters, Conv2dSame),
        eps=eps,
    )


def _pool(write: "Modules", module: SelectAdaptivePool2d, path: str) -> Expression:
    write.book.need("torch", "nn")
    pool = write.expression(module.pool, f"{path}.pool")
    return Call("nn.Sequential", (pool, write.expression(module.flatten, f"{path}.flatten")))


def _layer_norm_2d(write: "Modules", module: LayerNorm2d, path: str) -> Expression:
    _check(module.elementwise_affine and module.bias is not None, module, path)
    return Call(write.book.lift(pictures.LayerNorm2d), module.normalized_shape, {"eps": module.eps})


def _patches(write: "Modules", module: PatchEmbed, path: str) -> Expression:
    conv = module.proj
    _check(isinstance(module.norm, nn.Identity) and module.flatten and conv.bias is not None, module, path)
    return write.call(pictures.PatchEmbedding, conv.in_channels, conv.out_channels, conv.kernel_size[0])


def _feed_forward(write: "Modules", module: Any, path: str) -> Expression:
    gated = isinstance(module, GluMlp)
    biased = module.fc1.bias is not None and module.fc2.bias is not None and module.drop1.p == module.drop2.p
    linear = isinstance(module.fc1, nn.Linear) and module.fc1.in_features == module.fc2.out_features
    plain = isinstance(module.norm, nn.Identity) and biased and linear and (not gated or module.gate_last)
    _check(plain, module, path)
    block = sequences.GatedFeedForward if gated else sequences.FeedForward
    act = write.activation(module.act, f"{path}.act")
    return write.call(block, module.fc1.in_features, module.fc2.in_features, act, dropout=module.drop1.p)


def _attention(write: "Modules", module: attention.SelfAttention, path: str) -> Expression:
    return write.call(
        sequences.SelfAttention,
        module.proj.out_features,
        module.heads,
        module.proj.in_features // module.heads,
        causal=module.causal,
        rotary=write.child(module, "rotary", path),
        relative=write.child(module, "relative", path),
        bias=module.proj.bias is not None,
        dropout=module.proj_drop.p,
    )


def _queried(write: "Modules", module: attention.QueriedAttention, _: str) -> Expression:
    return write.call(
        sequences.QueriedAttention,
        module.proj.out_features,
        len(module.queries_QC),
        module.heads,
        module.proj.in_features // module.heads,
        bias=module.proj.bias is not None,
        dropout=module.proj_drop.p,
    )


def _across(write: "Modules", module: attention.AcrossSequences, _: str) -> Expression:
    return write.call(
        attention.AcrossSequences,
        module.lengths,
        module.proj.out_features,
        module.heads,
        module.proj.in_features // module.heads,
        bias=module.proj.bias is not None,
        dropout=module.proj_drop.p,
    )


def _fusion(write: "Modules", module: modality.GatedFusion | modality.BilinearFusion, _: str) -> Expression:
    first = module.values[0]
    assert isinstance(first, nn.Linear)  # noqa: S101 - they are made so
    return write.call(type(module), module.lengths, first.in_features, first.out_features)


def _filter(write: "Modules", module: along.FilterBlock, path: str) -> Expression:
    conv = module.conv
    return write.call(
        sequences.FilterBlock,
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size[0],
        stride=conv.stride[0],
        dilation=conv.dilation[0],
        groups=conv.groups,
        norm={nn.BatchNorm1d: "batch", nn.LayerNorm: "layer", nn.Identity: "none"}[type(module.norm)],
        looks_back=isinstance(module.pad, nn.ConstantPad1d),
        **_act(write, module, path),
    )


def _residual_filter(write: "Modules", module: along.ResidualFilterBlock, path: str) -> Expression:
    parts = [write.expression(module.get_submodule(name), f"{path}.{name}") for name in ("conv1", "conv2", "shortcut")]
    return write.call(sequences.ResidualFilterBlock, *parts, write.activation(module.act, f"{path}.act"))


def _windows(write: "Modules", module: along.Windows, _: str) -> Expression:
    before, after = module.pad.padding
    size, stride = (value if isinstance(value, int) else value[0] for value in (module.pool.kernel_size, module.pool.stride))
    if module.weight is None:
        return write.call(sequences.MaxWindows, size, stride, before, after)
    length = (len(module.weight) - 1) * stride + size - before - after
    return write.call(sequences.MeanWindows, size, stride, before, after, length)


def _spectrogram(write: "Modules", module: audio.Spectrogram, _: str) -> Expression:
    return write.call(
        sound.Spectrogram,
        module.rate,
        window=len(module.window_S),
        hop=module.hop,
        transformed=module.transformed,
        mels=module.filters_BM.shape[1],
        pad=module.pad,
        offset=module.offset,
    )


def _parallel(write: "Modules", module: wiring.Parallel, path: str) -> Expression:
    branches = Layers(write.children(module.branches, f"{path}.branches"))
    return write.call(wiring.Parallel, branches, merge=module.merge, axis=module.axis)


def _cell(write: "Modules", module: wiring.Cell, path: str) -> Expression:
    edges = write.children(module.edges, f"{path}.edges")
    return write.call(wiring.Cell, module.nodes, Layers({tuple(map(int, name.split("_"))): one for name, one in edges.items()}))


def _block(write: "Modules", module: transformer.Block, path: str) -> Expression:
    parts = [write.expression(getattr(module, name), f"{path}.{name}") for name in ("norm1", "attn", "norm2", "mlp")]
    return write.call(transformer.Block, *parts, norm_first=module.norm_first)


def _states(write: "Modules", module: recurrent.States, path: str) -> Expression:
    return write.call(recurrent.States, write.expression(module.cell, f"{path}.cell"), final=module.final)


def _relative(write: "Modules", module: position.RelativeBias, _: str) -> Expression:
    heads, kept = module.table.shape
    reach = kept - 1 if module.causal else (kept - 1) // 2
    return write.call(position.RelativeBias, heads, len(module.distances_LL), reach, causal=module.causal)


def _positions(write: "Modules", module: position.AddedPositions, _: str) -> Expression:
    return write.call(position.AddedPositions, *module.table_LC.shape, learned=isinstance(module.table_LC, nn.Parameter))


NORMALISED = (ConvNormAct, InvertedResidual, DepthwiseSeparableConv, along.FilterBlock)
"""Whose plain blocks have batch normalisation; with group normalisation in its place they are taken apart."""

KNOWN: Mapping[type, Callable[["Modules", Any, str], Expression]] = {
    ConvNormAct: _conv_norm_act,
    SqueezeExcite: _squeeze_excite,
    Conv2dSame: _same_conv,
    BatchNormAct2d: _norm_act,
    InvertedResidual: _inverted,
    DepthwiseSeparableConv: _depthwise,
    SelectAdaptivePool2d: _pool,
    LayerNorm2d: _layer_norm_2d,
    PatchEmbed: _patches,
    Mlp: _feed_forward,
    GluMlp: _feed_forward,
    convolution.ResidualBlock: _residual,
    attention.SelfAttention: _attention,
    attention.QueriedAttention: _queried,
    attention.AcrossSequences: _across,
    modality.TakeModality: lambda write, module, _: write.call(
        modality.TakeModality, module.begin, module.axes, whole=module.whole
    ),
    modality.ConcatenatedFusion: lambda write, module, _: write.call(
        modality.ConcatenatedFusion,
        module.lengths,
        module.linear.in_features // len(module.lengths),
        module.linear.out_features,
    ),
    modality.GatedFusion: _fusion,
    modality.BilinearFusion: _fusion,
    ngrams.BagOfNgrams: lambda write, module, _: write.call(
        ngrams.BagOfNgrams,
        module.table.num_embeddings,
        module.table.embedding_dim,
        module.shortest,
        module.longest,
        root=module.root,
        dropout=module.dropout.p,
    ),
    along.FilterBlock: _filter,
    along.ResidualFilterBlock: _residual_filter,
    along.Windows: _windows,
    audio.Spectrogram: _spectrogram,
    shipped.Backbone: lambda write, module, path: write.sequential(module, path),
    shipped_texts.TextBackbone: lambda write, module, path: write.call(
        shipped_texts.TextBackbone, *write.children(module, path).values()
    ),
    wiring.Parallel: _parallel,
    wiring.Cell: _cell,
    transformer.Block: _block,
    recurrent.States: _states,
    position.RelativeBias: _relative,
    position.AddedPositions: _positions,
    position.Rotary: lambda write, module, _: write.call(position.Rotary, len(module.cos_LP), 2 * module.cos_LP.shape[1]),
    patch.PrependedToken: lambda write, module, _: write.call(patch.PrependedToken, len(module.token_C)),
    head.PoolPositions: lambda write, module, _: write.call(head.PoolPositions, module.kind),
    audio.Masks: lambda write, module, _: write.call(audio.Masks, *module.shares),
    pointwise.Zeros: lambda write, _, __: write.call(pointwise.Zeros),
    pointwise.ChannelsFirst: lambda write, module, path: write.call(
        pointwise.ChannelsFirst, write.expression(module.inner, f"{path}.inner")
    ),
}
"""Class of a module → what writes it."""


def _act(write: "Modules", module: nn.Module, path: str) -> dict[str, Expression]:
    """The activation of `module` as an argument; none where it has none."""
    act = module.get_submodule("act")
    return {} if isinstance(act, nn.Identity) else {"act": write.activation(act, f"{path}.act")}


def _usual_norm(norm: nn.Module, eps: float = 1e-5) -> bool:
    """Whether it is batch normalisation as torch does it by default, or with `eps`, with nothing but an activation after it."""
    return (
        isinstance(norm, BatchNormAct2d)
        and (norm.eps, norm.momentum, norm.affine, norm.track_running_stats) == (eps, 0.1, True, True)
        and isinstance(norm.drop, nn.Identity)
    )


def _usual_filter(conv: nn.Module) -> bool:
    """Whether each channel is filtered by itself, padded so that stride 1 keeps the size, or as TensorFlow does it."""
    if type(conv) not in {nn.Conv2d, Conv2dSame} or conv.bias is not None or conv.dilation != (1, 1):
        return False
    padding = 0 if isinstance(conv, Conv2dSame) else (conv.stride[0] - 1 + conv.kernel_size[0] - 1) // 2
    return conv.groups == conv.in_channels == conv.out_channels and conv.padding == (padding, padding)


def _check(usual: bool, module: nn.Module, path: str) -> None:
    """Refuse a module of timm's that is made in a way that none of our layers makes it.

    Raises:
        ExportError: it is.
    """
    if not usual:
        raise ExportError(
            f"The module {path} is timm's {type(module).__name__} with options that its plain form does not have; give the "
            "layer's class a method `plain_form()`."
        )
