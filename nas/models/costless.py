"""Operators that cost no multiply-add by our convention, by name; `relu_` is `relu`.

`macs` are of convolutions, matrix products, attention, recurrent cells and Fourier transforms. Nothing else counts: not
normalisation, activations and softmax, not sums, products and functions of single elements, not pooling, resizing and embeddings,
nor what makes, copies or moves numbers. What is neither here nor has a formula (singular values, distances, an operator of
somebody's own) is of unknown cost, and is told as such.
"""

_ACTIVATIONS = """
    relu relu6 leaky_relu prelu rrelu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh softplus sigmoid tanh glu
    log_sigmoid log_sigmoid_forward threshold softmax _softmax _safe_softmax log_softmax _log_softmax
"""
_NORMS_AND_DROPOUT = """
    batch_norm native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm layer_norm
    native_layer_norm group_norm native_group_norm instance_norm rms_norm _fused_rms_norm local_response_norm _weight_norm
    linalg_vector_norm norm frobenius_norm dropout dropout1d dropout2d dropout3d feature_dropout alpha_dropout native_dropout
"""
_OF_SINGLE_ELEMENTS = """
    add sub rsub mul div true_divide floor_divide remainder fmod outer kron neg abs sgn sign reciprocal pow square sqrt rsqrt exp
    expm1 log log1p log2 log10 sin cos tan atan atan2 erf floor ceil round trunc frac clamp clamp_min clamp_max lerp addcmul
    addcdiv maximum minimum eq ne lt le gt ge isnan isinf isfinite nan_to_num where masked_fill logical_and logical_or
    logical_not logical_xor bitwise_and bitwise_or bitwise_not __and__ __or__ angle real imag polar complex
    conj _conj conj_physical _conj_physical resolve_conj
"""
_OVER_AN_AXIS = """
    sum mean var var_mean std std_mean prod cumsum cumprod amax amin max min any all argmax argmin logsumexp topk sort argsort
"""
_EMBEDDING_POOLING_RESIZING = """
    embedding embedding_bag _embedding_bag one_hot avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d
    max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices adaptive_avg_pool1d adaptive_avg_pool2d
    adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d
    upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler grid_sampler_2d
"""
_MAKING = """
    empty empty_like empty_strided new_empty new_empty_strided zeros zeros_like new_zeros ones ones_like new_ones full full_like
    new_full arange linspace scalar_tensor eye tril triu tril_indices triu_indices rand rand_like randn randn_like randint
    randperm bernoulli uniform normal fill zero
"""
_COPYING_AND_MOVING = """
    copy clone contiguous to _to_copy type_as detach detach_copy lift_fresh alias view reshape _unsafe_view _reshape_alias view_as
    reshape_as view_as_real view_as_complex flatten unflatten permute transpose t mT swapaxes movedim moveaxis squeeze unsqueeze
    expand expand_as broadcast_to broadcast_tensors meshgrid repeat repeat_interleave tile cat concat concatenate stack hstack
    vstack chunk unsafe_chunk split split_with_sizes unsafe_split unsafe_split_with_sizes tensor_split unbind select slice narrow
    index index_put index_select index_copy index_add gather scatter scatter_add take take_along_dim masked_select nonzero unfold
    im2col col2im as_strided diagonal roll flip rot90 pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d
    replication_pad2d pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle _pack_padded_sequence
    _pad_packed_sequence size sym_size numel Int ScalarImplicit item _local_scalar_dense is_floating_point
    fft_fftshift fft_ifftshift
"""

COSTLESS: frozenset[str] = frozenset(
    " ".join(
        (
            _ACTIVATIONS,
            _NORMS_AND_DROPOUT,
            _OF_SINGLE_ELEMENTS,
            _OVER_AN_AXIS,
            _EMBEDDING_POOLING_RESIZING,
            _MAKING,
            _COPYING_AND_MOVING,
        )
    ).split()
)
"""Names as torch has them in `torch.ops.aten`, and in traces behind "aten::"."""
