"""`nas profile`: what a network costs, or which of several is fastest."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from nas.cli.printing import FOLDER, as_json, console, print_grid, status
from nas.cli.spaces import space_path
from nas.errors import SearchError, quote

if TYPE_CHECKING:
    from nas.benchmark import Shape
    from nas.profiling import Profile, Source, Standing

ROWS = 40
"""Layers that are printed for people who did not say how many."""


@click.command()
@click.argument("space", required=False)
@click.argument("architecture", nargs=-1)
@click.option("--on", metavar="BENCHMARK", help="What feeds the networks of SPACE.")
@click.option("--random", "random_seed", type=int, metavar="SEED", help="Draw the architecture at random from SEED.")
@click.option("--model", metavar="NAME", help="Any network instead: timm:resnet18, or package.module:factory.")
@click.option("--input", "size", metavar="SIZE", help="Of one example, for --model: 3,224,224; timm's networks know theirs.")
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Of what is measured.")
@click.option(
    "--backend",
    "backends",
    multiple=True,
    type=click.Choice(["eager", "compile", "cuda_graph", "onnxruntime"]),
    help="What runs the network as it is timed; eager if not given, may be repeated.",
)
@click.option("--memory/--no-memory", default=True, show_default=True, help="Measure memory, on a CPU in fresh processes.")
@click.option("--throughput", is_flag=True, help="Measure examples a second over batch sizes.")
@click.option("--energy", is_flag=True, help="Measure energy, where the GPU or the processor counts it.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:N or mps; chosen by itself if not given.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Threads on the CPU.")
@click.option("--rows", type=click.IntRange(min=0), default=ROWS, show_default=True, metavar="N", help="Layers to print.")
@click.option("--plot", type=FOLDER, metavar="FILE", help="Draw the layers into FILE, a .png, .svg or .pdf.")
@click.option("--ledger", metavar="URL", help="Where STUDY is looked for; NAS_LEDGER, or sqlite:///nas.sqlite.")
@space_path
@as_json
def profile(
    space: str | None,
    architecture: tuple[str, ...],
    backends: tuple[str, ...],
    rows: int,
    plot: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Count and measure a network: an ARCHITECTURE of SPACE, or any other by --model.

    \b
    nas profile residual_cnn --on digits
    nas profile residual_cnn STUDY:3 STUDY:7 --on digits     which is faster, timed in turns
    nas profile --model timm:resnet18

    ARCHITECTURE is its choices as JSON, a file of them, or STUDY:NUMBER or STUDY:ID, a trial of a study; without it the first
    of the space is taken, or one by --random. Several are ranked by latency.
    """  # noqa: D301 - click reads the character itself: lines are kept as they are
    standing: Standing | None = None
    with redirect_stdout(sys.stderr):  # what a network prints is none of the figures
        sources, inputs, title = _networks(space, architecture, given)
        from nas.device import pick
        from nas.profiling import profile as measure
        from nas.profiling import rank_sources

        how = {"device": pick(given["device"]), "threads": given["threads"], "batch_size": given["batch_size"]}
        with status() as say:
            if len(sources) > 1:
                say("timing in turns")
                (backend,) = _single(backends)
                standing = rank_sources(sources, inputs, backend=backend, **how)  # type: ignore[arg-type]
            else:
                asked = {name: given[name] for name in ("memory", "throughput", "energy")}
                found = measure(sources[0], inputs, backends=backends or ("eager",), say=say, **asked, **how)  # type: ignore[arg-type]
    if standing is not None:
        if as_json:
            click.echo(json.dumps(_standing_data(standing, architecture), indent=1))
        else:
            _print_standing(standing, architecture)
        return
    if plot is not None:
        from nas.reports.layers import plot_layers

        plot_layers([asdict(layer) for layer in found.counts.layers], plot, title)
    if as_json:
        click.echo(json.dumps({"network": title, **_data(found)}, indent=1))
    else:
        _print(found, title, rows)
        if plot is not None:
            click.echo(f"\nWrote {plot}.")


def _networks(
    space: str | None, architecture: Sequence[str], given: dict[str, Any]
) -> tuple[list["Source"], "Shape | tuple[int, ...]", str]:
    """The networks as plain data, what feeds them, and what to call it.

    Raises:
        SearchError: it is not said which, or by what it is fed.
    """
    model = given["model"]
    if (space is None) == (model is None):
        raise SearchError("A network is named by SPACE (with --on BENCHMARK) or by --model; give one of the two.")
    if model is not None:
        _refuse(["on", "random_seed", "ledger", "space_path"], "is about architectures of a space, and --model is none")
        if not model.startswith("timm:"):
            sys.path.append(os.getcwd())  # what is installed goes before it
        size = _size(given["size"]) if given["size"] else _own_size(model)
        return [model], size, f"{model} on {'×'.join(map(str, size))}"
    if given["on"] is None:
        raise SearchError("What is fed to a space's network is the benchmark's to say; give --on BENCHMARK.")
    _refuse(["size"], "is for --model; what is fed to a space's network is the benchmark's to say")
    if len(architecture) > 1:
        _refuse(["memory", "throughput", "energy", "rows", "plot"], "is for one network, and several are only timed")
    from nas.profiling import source_of
    from nas.searching import check_input, pick_architecture, resolve_benchmark, resolve_space

    found, benchmark = resolve_space(str(space), given["space_path"]), resolve_benchmark(given["on"])
    check_input(found, benchmark)
    picked = [
        pick_architecture(found, name, random_seed=given["random_seed"], ledger=given["ledger"] or "")
        for name in architecture or (None,)
    ]
    title = f"{found.name} v{found.version} on {benchmark.name}: {picked[0].id}"
    return [source_of(found, one, benchmark.signature) for one in picked], benchmark.signature.input, title


def _refuse(names: Sequence[str], why: str) -> None:
    """Raise a SearchError for an option that was given and would do nothing."""
    context = click.get_current_context()
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            raise SearchError(f"{option.opts[0]} {why}; leave it out.")


def _size(text: str) -> tuple[int, ...]:
    try:
        size = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        size = ()
    if not size or min(size) < 1:
        raise SearchError(f"An input's size is whole numbers such as 3,224,224, got {quote(text)}.")
    return size


def _own_size(model: str) -> tuple[int, ...]:
    """What a network of timm is made for.

    Raises:
        SearchError: it does not say.
    """
    from nas.profiling import input_size

    size = input_size(model)
    if size is None:
        raise SearchError(f"What {quote(model)} is fed is not known; give --input, such as --input 3,224,224.")
    return size


def _single(backends: Sequence[str]) -> tuple[str]:
    if len(backends) > 1:
        raise SearchError(f"Several architectures are ranked on one backend, got {', '.join(backends)}; give one --backend.")
    return (backends[0] if backends else "eager",)


def _data(found: "Profile") -> dict[str, Any]:
    """The profile as plain data, ready for JSON."""
    counts = found.counts
    derived = {"flops": counts.flops, "size_bytes": counts.size_bytes, "peak_training_bytes": found.training_memory.peak_bytes}
    layers = [{**asdict(layer), "flops": layer.flops} for layer in counts.layers]
    data = asdict(found)
    return {**data, "counts": {**data["counts"], **derived, "layers": layers}, "agree": found.agree}


def _print(found: "Profile", title: str, rows: int) -> None:
    console().print(title, markup=False, highlight=False, style="bold")
    for name, words in _lines(found):
        click.echo(f"{name:<16}{words}")
    for note in found.notes:
        click.echo(f"{'note':<16}{note}")
    if rows:
        click.echo()
        _print_layers(found, rows)


def _lines(found: "Profile") -> Iterator[tuple[str, str]]:
    counts, batch = found.counts, found.batch_size
    frozen = counts.params_total - counts.params
    yield "parameters", f"{counts.params:,}" + (f" trainable, {frozen:,} frozen" if frozen else "")
    parts = [f"{_bytes(size)} {kind}" for kind, size in counts.weight_bytes.items()]
    buffers = sum(counts.buffer_bytes.values())
    parts += [f"{_bytes(buffers)} of buffers"] if buffers else []
    yield "size", _bytes(counts.size_bytes) + (f": {', '.join(parts)}" if parts else "")
    by = "both counters agree" if found.agree else "by torch's counter"
    yield "multiply-adds", f"{counts.macs:,} ({counts.flops:,} FLOPs) of one example, {by}"
    if found.uncounted:
        yield "uncounted", ", ".join(f"{name} ×{times}" for name, times in found.uncounted.items())
    predicted = found.training_memory
    yield "activations", f"{_bytes(counts.activation_bytes)} at inference of one example, predicted"
    yield "training step", f"{_bytes(predicted.peak_bytes)} with AdamW at batch size {found.training_batch}, predicted"
    if (memory := found.memory) is not None:
        base = memory.base_bytes or memory.training_base_bytes or 0
        peaks = (
            (memory.inference_bytes, memory.base_bytes or 0, f"at inference at batch size {batch}"),
            (memory.training_bytes, memory.training_base_bytes or 0, f"in a training step at {found.training_batch}"),
        )
        seen = [f"{_bytes(peak - beside)} {words}" for peak, beside, words in peaks if peak is not None]
        beside = f", beside {_bytes(base)} of Python and torch" if base else ""
        yield "memory", f"{', '.join(seen) or '–'}, measured: {memory.how}{beside}"
    for latency in found.latencies:
        interval = f"95 % interval {latency.low_ms:.3f} to {latency.high_ms:.3f}"
        tail = f"p95 {latency.p95_ms:.3f}" + (f", p99 {latency.p99_ms:.3f}" if latency.p99_ms is not None else "")
        by = f"{latency.samples:,} passes of batch size {batch}, {latency.dtype}, {found.setting.use}, {latency.backend}"
        yield "latency", f"{latency.median_ms:.3f} ms ({interval}; {tail}), {by}"
    if (through := found.throughput) is not None:
        best = through.best
        yield "throughput", f"{best.examples_a_second:,.0f} examples a second at batch size {best.batch_size}; {_speeds(through)}"
    if (energy := found.energy) is not None:
        yield (
            "energy",
            f"{energy.millijoules_an_example:.3f} mJ an example at batch size {energy.batch_size}, {energy.watts:.0f} W",
        )
    yield "machine", str(found.setting.machine)


def _speeds(through: Any) -> str:
    return ", ".join(f"{batch.batch_size}: {batch.examples_a_second:,.0f}" for batch in through.batches) + f" ({through.ended})"


def _bytes(size: int) -> str:
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


def _print_layers(found: "Profile", rows: int) -> None:
    """The layers that cost most of the multiply-adds or parameters, in the network's order."""
    layers, total = found.counts.layers, found.counts
    shares = [max(layer.macs / max(1, total.macs), layer.params / max(1, total.params)) for layer in layers]
    costly = [n for n in range(len(layers)) if shares[n] > 0 or rows >= len(layers)]
    chosen = sorted(sorted(costly, key=lambda n: -shares[n])[:rows])
    print_grid(
        [
            {
                "layer": layers[n].name or "(network)",
                "kind": layers[n].kind,
                "output": "×".join(map(str, (layers[n].output or ("", "–"))[1:])),
                "parameters": layers[n].params,
                "multiply-adds": layers[n].macs,
                "of all": f"{100 * layers[n].macs / max(1, total.macs):.1f} %",
                "output bytes": layers[n].output_bytes,
            }
            for n in chosen
        ]
    )
    if len(chosen) < len(layers):
        click.echo(f"{len(layers) - len(chosen)} layers that cost less or nothing are not shown; --rows {len(layers)} shows all.")


def _standing_data(standing: "Standing", names: Sequence[str]) -> dict[str, Any]:
    data = asdict(standing)
    places = [{**asdict(place), "tied": place.tied, "architecture": names[place.network]} for place in standing.places]
    return {**data, "places": places}


def _print_standing(standing: "Standing", names: Sequence[str]) -> None:
    print_grid(
        [
            {
                "rank": rank,
                "architecture": names[place.network][:60],
                "latency ms": f"{place.p10_ms:.4f}",
                "95 % interval": f"{place.low_ms:.4f} to {place.high_ms:.4f}",
                "faster than the next": "–" if place.before_next is None else f"{place.before_next:.0%}" + " (tied)" * place.tied,
            }
            for rank, place in enumerate(standing.places, start=1)
        ]
    )
    agreement = f"; two halves of it agree by {standing.agreement:.2f} (Kendall's tau)" if standing.agreement is not None else ""
    click.echo(
        f"10 % quantiles of {standing.rounds} rounds in {standing.seconds:.1f} s, batch size {standing.batch_size}, "
        f"{standing.device}, {standing.threads} thread{'s' * (standing.threads != 1)}, {standing.backend}{agreement}."
    )
