"""Multiply-adds of the Fourier transforms in a trace; `nas.models.fourier` is the rule.

A transform between complex numbers gives all its points. Of one that is real on one side, the complex side holds half the
spectrum along the last axis that is transformed, n // 2 + 1 bins of n points.
"""

from nas.models import transforms
from nas.profiling.traced import Value, is_complex, is_list, numbers, parts, shape


def _along_one_axis(inputs: list[Value], outputs: list[Value]) -> int:
    """Whole spectra, of real numbers or of complex ones."""
    whole = shape(outputs[0])
    return transforms(whole, _axes(inputs, len(whole)), real=not is_complex(inputs[0]))


def _along_several_axes(inputs: list[Value], outputs: list[Value]) -> int:
    """Whole spectra; torch makes real numbers complex first."""
    whole = shape(outputs[0])
    return transforms(whole, _axes(inputs, len(whole)), real=False)


def _of_half(inputs: list[Value], outputs: list[Value]) -> int:
    """Half spectra, or the real numbers of them."""
    whole = _whole(inputs, outputs)
    return transforms(whole, _axes(inputs, len(whole)), real=True)


def _of_half_apart(inputs: list[Value], outputs: list[Value]) -> int:
    """The same of symmetric numbers, which torch transforms along the other axes after or before the last one."""
    whole = _whole(inputs, outputs)
    *others, last = _axes(inputs, len(whole))
    half = [*whole]
    half[last] = whole[last] // 2 + 1
    return transforms(half, others, real=False) + transforms(whole, [last], real=True)


def _of_frames(inputs: list[Value], outputs: list[Value]) -> int:
    """One transform for each frame; frames are the axis behind the spectrum's."""
    *examples, _ = shape(inputs[0])
    bins, frames = shape(outputs[0])[len(examples) :][:2]
    points = bins if is_complex(inputs[0]) else _points(inputs[1], bins)
    return transforms([*examples, frames, points], [-1], real=not is_complex(inputs[0]))


def _axes(inputs: list[Value], rank: int) -> list[int]:
    """Along which is transformed: inputs are numbers, points along each axis or None, axes or None."""
    _, points, axes, *_ = inputs
    if axes.type().kind() == "IntType":
        return [axes.toIValue()]
    asked = len(parts(points)) if is_list(points) else rank
    return numbers(axes) if is_list(axes) else list(range(-asked, 0))


def _whole(inputs: list[Value], outputs: list[Value]) -> list[int]:
    """Shape of the real side, with the zeros that are appended."""
    whole = shape(outputs[0])
    if is_complex(outputs[0]):
        last = _axes(inputs, len(whole))[-1]
        asked = parts(inputs[1])[-1] if is_list(inputs[1]) else inputs[1]
        whole[last] = _points(asked, whole[last], shape(inputs[0])[last])
    return whole


def _points(asked: Value, bins: int, given: int | None = None) -> int:
    """Real numbers behind half a spectrum: as many as are asked for; if that is no constant, are given and fit; or are even."""
    points: int | None = asked.toIValue()
    if points is None or points < 0:
        points = given if given is not None and given // 2 + 1 == bins else 2 * (bins - 1)
    return points


FOURIER = {
    **dict.fromkeys(("fft_fft", "fft_ifft"), _along_one_axis),
    **dict.fromkeys(("fft_fft2", "fft_ifft2", "fft_fftn", "fft_ifftn"), _along_several_axes),
    **dict.fromkeys(("fft_rfft", "fft_irfft", "fft_hfft", "fft_ihfft"), _of_half),
    **dict.fromkeys(("fft_rfft2", "fft_irfft2", "fft_rfftn", "fft_irfftn"), _of_half),
    **dict.fromkeys(("fft_hfft2", "fft_ihfft2", "fft_hfftn", "fft_ihfftn"), _of_half_apart),
    "stft": _of_frames,
}
"""Operator → multiply-adds of a call, of the values that go in and come out. torch.istft, which meta does not know, is told."""
