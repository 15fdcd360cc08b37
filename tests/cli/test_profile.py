import json
import sys
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nas.cli import main
from nas.profiling import latency


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "WARMUP_SECONDS", 0.0)
    monkeypatch.setattr(latency, "SAMPLE_SECONDS", 0.0)


def run(*words: str) -> str:
    done = CliRunner().invoke(main, ["profile", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def data(*words: str) -> Any:
    return json.loads(run(*words, "--json"))


def complaint(*words: str) -> str:
    done = CliRunner().invoke(main, ["profile", *words])
    assert done.exit_code == 2
    assert done.stderr.startswith("nas: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix("nas: ").strip()


def test_the_first_architecture_of_a_space_is_counted_and_timed_layer_by_layer() -> None:
    text = run("macro_cnn", "--on", "digits", "--no-memory")
    assert text.startswith("macro_cnn v1 on digits: ")
    for word in (
        "parameters",
        "size",
        "multiply-adds",
        "both counters agree",
        "activations",
        "latency",
        "95 % interval",
        "head.linear",
    ):
        assert word in text
    assert "memory  " not in text


def test_as_json_the_layers_add_up_to_the_network() -> None:
    found = data("residual_cnn", "--on", "digits", "--random", "3", "--no-memory", "--batch-size", "4")
    counts = found["counts"]
    assert sum(layer["macs"] for layer in counts["layers"]) == counts["macs"]
    assert sum(layer["params"] for layer in counts["layers"]) == counts["params"]
    assert counts["flops"] == 2 * counts["macs"]
    assert found["agree"] is True
    assert found["latencies"][0]["batch_size"] == 4
    assert found["memory"] is None
    assert found["energy"] is None


def test_a_network_of_timm_knows_what_it_is_fed() -> None:
    found = data("--model", "timm:mobilenetv3_small_050", "--no-memory")
    assert found["network"] == "timm:mobilenetv3_small_050 on 3×224×224"
    assert found["agree"] is True


def test_any_network_is_profiled_at_the_size_that_is_given() -> None:
    assert data("--model", "torchvision.models:squeezenet1_1", "--input", "3x64x64", "--no-memory")["network"].endswith(
        " on 3×64×64"
    )


def test_memory_is_measured_beside_what_python_takes() -> None:
    text = run("macro_cnn", "--on", "digits", "--rows", "0")
    assert "measured: resident set of a fresh process, beside " in text


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_layers_are_drawn(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"layers.{ending}"
    text = run("macro_cnn", "--on", "digits", "--no-memory", "--rows", "0", "--plot", str(path))
    assert text.endswith(f"Wrote {path}.\n")
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert path.read_bytes().startswith(begins[ending])
    if ending == "svg":
        xml.etree.ElementTree.parse(path)  # noqa: S314 - our own


def test_several_architectures_are_timed_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small, large = Path("small.json"), Path("large.json")
    names = json.loads(CliRunner().invoke(main, ["spaces", "feasibility", "macro_cnn", "--on", "digits", "--json"]).stdout)
    small.write_text(json.dumps(names["figures"]["flops"]["smallest_architecture"]))
    large.write_text(json.dumps(names["figures"]["flops"]["largest_architecture"]))
    found = data("macro_cnn", str(large), str(small), "--on", "digits")
    assert [place["architecture"] for place in found["places"]] == [str(small), str(large)]
    text = run("macro_cnn", str(large), str(small), "--on", "digits")
    assert text.index("small.json") < text.index("large.json")
    assert "Kendall's tau" in text


def test_networks_of_the_working_folder_are_found_and_what_they_print_is_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    Path("talking_networks.py").write_text(
        "from torch import nn\n\nclass Talking(nn.Flatten):\n    def forward(self, x):\n        print('Here I am.')\n"
        "        return super().forward(x)\n"
    )
    done = CliRunner().invoke(main, ["profile", "--model", "talking_networks:Talking", "--input", "4", "--no-memory", "--json"])
    assert json.loads(done.stdout)["counts"]["params"] == 0
    assert "Here I am." in done.stderr


def test_a_network_without_weights_has_the_size_of_nothing() -> None:
    assert "size            0 bytes\n" in run("--model", "torch.nn:Flatten", "--input", "4", "--no-memory")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--model", "timm:resnet18", "--on", "digits"],
            "--on is about architectures of a space, and --model is none; leave it out.",
        ),
        (
            ["--model", "timm:resnet18", "--random", "3"],
            "--random is about architectures of a space, and --model is none; leave it out.",
        ),
        (
            ["macro_cnn", "--on", "digits", "--input", "3"],
            "--input is for --model; what is fed to a space's network is the benchmark's to say; leave it out.",
        ),
        (
            ["macro_cnn", "a.json", "b.json", "--on", "digits", "--plot", "a.png"],
            "--plot is for one network, and several are only timed; leave it out.",
        ),
        (
            ["macro_cnn", "a.json", "b.json", "--on", "digits", "--no-memory"],
            "--memory is for one network, and several are only timed; leave it out.",
        ),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(words: list[str], message: str) -> None:
    assert complaint(*words) == message


BOTH = "A network is named by SPACE (with --on BENCHMARK) or by --model; give one of the two."


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "A network is named by SPACE (with --on BENCHMARK) or by --model; give one of the two."),
        (
            ["macro_cnn", "--model", "timm:resnet18"],
            "A network is named by SPACE (with --on BENCHMARK) or by --model; give one of the two.",
        ),
        (["macro_cnn"], "What is fed to a space's network is the benchmark's to say; give --on BENCHMARK."),
        (["--model", "math:sqrt"], "What 'math:sqrt' is fed is not known; give --input, such as --input 3,224,224."),
        (["--model", "math:sqrt", "--input", "3,x"], "An input's size is whole numbers such as 3,224,224, got '3,x'."),
        (["--model", "math:sqrt", "--input", "3,0"], "An input's size is whole numbers such as 3,224,224, got '3,0'."),
        (
            ["--model", "timm:resnet19"],
            "timm has no network called 'resnet19'. Did you mean 'resnet18'? timm.list_models() names them.",
        ),
        (["recurrent", "--on", "digits"], "The space 'recurrent' accepts tokens and sequence, 'digits' feeds an image of 1×8×8."),
    ],
)
def test_what_cannot_be_profiled_is_one_line(words: list[str], message: str) -> None:
    assert complaint(*words) == message


def test_a_plot_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    message = complaint("macro_cnn", "--on", "digits", "--no-memory", "--plot", str(tmp_path / "layers.bmp"))
    assert message == "A plot's file ends in .png, .svg, .pdf, got 'layers.bmp'."


def test_a_plot_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    message = complaint("macro_cnn", "--on", "digits", "--no-memory", "--plot", str(tmp_path / "nowhere" / "layers.svg"))
    assert message.startswith("The plot cannot be written to ")


def test_several_architectures_have_one_backend(tmp_path: Path) -> None:
    names = CliRunner().invoke(main, ["spaces", "feasibility", "macro_cnn", "--on", "digits", "--json"]).stdout
    one = tmp_path / "one.json"
    one.write_text(json.dumps(json.loads(names)["figures"]["flops"]["smallest_architecture"]))
    words = ["macro_cnn", str(one), str(one), "--on", "digits", "--backend", "eager", "--backend", "compile"]
    assert complaint(*words) == "Several architectures are ranked on one backend, got eager, compile; give one --backend."
