"""Benchmarks of one's own folders keep every rule of a benchmark, and serve a study by their path from search to export."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from own_data import write_digits, write_family, write_reviews, write_tones, write_wine

import nas
from nas import registry
from nas.benchmark import Benchmark, Features, Image, Query, Tokens, Waveform
from nas.cli import main
from nas.datasets import find_again, is_at_hand
from nas.datasets.making import make_benchmark
from nas.errors import NasError, SearchError
from nas.evaluation.robustness import check_task
from nas.records import Ledger
from nas.robustness import Scale, corrupt
from nas.searching import resolve_benchmark
from nas.testing import BenchmarkContract
from nas.training import load_task, scale_of, spelling_of

Nas = Callable[..., Result]

LITTLE = "{name: little, version: 1, accepts: image, layers: [conv: {features: [2, 3, 4, 5]}, head]}"


@pytest.fixture
def run() -> Nas:
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Benchmark]:
    """One of each kind, beside its data."""
    home = tmp_path_factory.mktemp("own")
    places = {
        "numerals": write_digits(home / "digits", count=400),
        "tones": write_tones(home / "sounds", {"low": 300, "high": 900}),
        "opinions": write_reviews(home / "reviews.csv"),
        "wines": write_wine(home / "wine.csv"),
        "circle": write_family(home / "circle.tsv"),
    }
    return {name: make_benchmark(name, place, home).benchmark for name, place in places.items()}


class TestOwnBenchmarks(BenchmarkContract):
    @pytest.fixture(params=["numerals", "tones", "opinions", "wines", "circle"])
    def benchmark(self, made: dict[str, Benchmark], request: pytest.FixtureRequest) -> Benchmark:
        return made[request.param]


def test_each_kind_is_found_by_itself(made: dict[str, Benchmark]) -> None:
    assert made["numerals"].signature.input == Image(1, 8, 8)
    assert made["tones"].signature.input == Waveform(length=832, channels=1, rate=8_000)
    assert isinstance(made["opinions"].signature.input, Tokens)
    assert made["wines"].signature.input == Features(13)
    assert made["circle"].signature.input == Query(24, 2)
    assert made["circle"].protocol == "link_prediction"
    assert [one.signature.output.axes[0] for one in made.values()] == [10, 2, 2, 3, 24]
    assert [one.classes for one in made.values()] == [
        tuple("0123456789"),
        ("high", "low"),
        ("bad", "good"),
        ("w0", "w1", "w2"),
        (),
    ]


def test_a_linear_model_is_no_worse_than_it_should_be(made: dict[str, Benchmark]) -> None:
    assert made["numerals"].floor["test_accuracy"] > 0.85
    assert made["tones"].floor["test_accuracy"] == 1
    assert made["wines"].floor["test_accuracy"] > 0.9


def test_a_picture_is_the_one_in_its_file_standardised_by_training_pictures(made: dict[str, Benchmark]) -> None:
    examples = load_task(made["numerals"], None).examples("train")
    assert examples.inputs.mean().abs() < 1e-3
    assert (examples.inputs.std() - 1).abs() < 1e-2
    assert len(examples.targets.unique()) == 10


def test_each_kind_says_what_its_numbers_stand_for_and_how_its_words_are_spelt(made: dict[str, Benchmark]) -> None:
    tasks = {name: load_task(benchmark, None) for name, benchmark in made.items()}
    pictures = scale_of(tasks["numerals"]).raw(tasks["numerals"].examples("validation").inputs)
    assert pictures.min().item() == pytest.approx(0, abs=1e-5)
    assert pictures.max().item() == pytest.approx(240 / 255, abs=1e-5)  # 16 levels of grey, 15 each
    assert scale_of(tasks["tones"]).low is None
    assert scale_of(tasks["wines"]) == Scale()
    assert [name for name, task in tasks.items() if spelling_of(task)] == ["opinions"]
    for name, corruption in (("numerals", "noise"), ("tones", "speed"), ("opinions", "typos")):
        given, task = tasks[name].examples("validation"), tasks[name]
        check_task(task, given, made[name].ask_for(["corruptions", f"{corruption}-5"]), name)
        worse = corrupt(given.inputs, corruption, 5, torch.Generator(), scale_of(task), spelling_of(task))
        assert worse.ne(given.inputs).any()


def test_it_is_what_its_folder_or_its_file_says(made: dict[str, Benchmark]) -> None:
    home = made["numerals"].home
    assert resolve_benchmark(home) == resolve_benchmark(str(home)) == resolve_benchmark(home / "benchmark.yaml")
    assert resolve_benchmark(home) == made["numerals"]


def test_it_is_listed_and_found_by_its_name_where_the_path_of_benchmarks_names_its_folder(
    run: Nas, made: dict[str, Benchmark], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_BENCHMARK_PATH", str(made["wines"].home.parent))
    assert resolve_benchmark("wines") == made["wines"]
    listed = {row["name"]: row for row in json.loads(done(run("benchmarks", "--json")))}
    assert {"digits", *made} <= listed.keys()
    assert "178 rows of 13 columns" in listed["wines"]["summary"]


def test_test_data_are_found_from_another_folder_too(
    made: dict[str, Benchmark], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made["numerals"].home.parent)
    tasks = [load_task(resolve_benchmark("./numerals"), data) for data in (None, Path("digits"))]
    monkeypatch.chdir(tmp_path)  # as a candidate's own process does
    assert [len(task.examples("test")) for task in tasks] == [60, 60]


def test_no_place_stands_in_what_records_keep(made: dict[str, Benchmark], tmp_path: Path) -> None:
    for benchmark in made.values():
        kept = json.dumps(benchmark.to_data())
        assert str(benchmark.home.parent) not in kept
        assert benchmark.declaration.data.sha256 in kept


def test_a_folder_here_that_is_named_as_a_benchmark_is_hinted_at(
    made: dict[str, Benchmark], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(made["wines"].home.parent)
    with pytest.raises(NasError, match=r"No benchmark is called 'wines'; the folder of that name here is one: give ./wines\."):
        resolve_benchmark("wines")


@pytest.fixture(scope="module")
def searched(made: dict[str, Benchmark], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A search on pictures of one's own, in the folder where the benchmark lies: that folder, the ledger, and what was said."""
    home = tmp_path_factory.mktemp("study")
    (home / "little.yaml").write_text(LITTLE)
    ledger = f"sqlite:///{home}/nas.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made["numerals"].home.parent)
        words = ["search", home / "little.yaml", "--on", "./numerals", "--trials", 2, "--epochs", 1, "--study", "own"]
        words += ["--checkpoint", 0, "--ledger", ledger]
        said = done(CliRunner().invoke(main, [*map(str, words)]))
    return home, ledger, said


@pytest.fixture
def study(searched: tuple[Path, str, str], made: dict[str, Benchmark], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the benchmark of the study `own` lies, which is where commands are given."""
    monkeypatch.setenv("NAS_LEDGER", searched[1])
    place = made["numerals"].home.parent
    monkeypatch.chdir(place)
    return place


def test_what_comes_next_is_said_as_it_can_be_given(searched: tuple[Path, str, str]) -> None:
    assert "nas finals own --ledger" in searched[2]


@pytest.mark.usefixtures("study")
def test_what_comes_next_says_where_the_data_lie_that_the_search_was_told_of(made, searched, tmp_path) -> None:
    data = (made["numerals"].home / made["numerals"].declaration.data.folder).resolve()
    words = ["search", searched[0] / "little.yaml", "--on", "./numerals", "--trials", 1, "--epochs", 1, "--study", "moved"]
    words += ["--data", data, "--ledger", tmp_path / "moved.sqlite"]
    said = " ".join(done(CliRunner().invoke(main, [*map(str, words)])).split())
    assert f"nas finals moved --data {data} --ledger" in said


def test_a_study_goes_on_is_done_again_and_handed_over(
    study: Path, run: Nas, searched: tuple[Path, str, str], tmp_path: Path
) -> None:
    again = ("--on", "numerals/benchmark.yaml", "--trials", 3, "--epochs", 1, "--study", "own")
    done(run("search", searched[0] / "little.yaml", *again))
    told = json.loads(done(run("reproduce", "own:0", "--json")))
    assert {one["verdict"] for one in told["trials"]} == {"bit-equal"}
    done(run("export", "own:0", "--to", tmp_path / "home", "--formats", "source"))
    card = (tmp_path / "home" / "README.md").read_text()
    assert "`numerals` version 1" in card
    assert str(study) not in card
    done(run("report", "own", "--out", tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert "--on ./numerals" in page
    assert str(study) not in page


def test_a_study_is_gone_on_with_from_elsewhere_where_the_benchmark_is_named(
    study: Path, run: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lost = run("reproduce", "own:0")
    assert lost.exit_code == 2
    assert lost.output.startswith("nas: The benchmark 'numerals' of the study 'own' is not here; name its folder by --data")
    done(run("reproduce", "own:0", "--data", study / "numerals"))
    assert nas.Study("own").build()(torch.zeros(1, 1, 8, 8)).shape == (1, 10)


@pytest.mark.slow
def test_a_search_in_a_worker_of_its_own_reads_the_same_data(study: Path, run: Nas, searched: tuple[Path, str, str]) -> None:
    words = ("--on", study / "numerals", "--workers", 1, "--trials", 1, "--epochs", 1, "--study", "apart", "--checkpoint", 0)
    done(run("search", searched[0] / "little.yaml", *words))
    with Ledger(searched[1], create=False) as ledger:
        here, there = (ledger.trials(ledger.study(name))[0].record for name in ("own", "apart"))
    assert here is not None
    assert there is not None
    assert here.data_sha256 == there.data_sha256 is not None


def test_another_version_of_a_study_s_benchmark_is_refused(study: Path, tmp_path: Path) -> None:
    make_benchmark("numerals", write_digits(tmp_path / "fewer", count=200), tmp_path)
    with pytest.raises(SearchError, match=r"The study 'own' is of data with digest \w{12}, those of numerals now have \w{12}; "):
        nas.finals("own", data=tmp_path)


def test_an_installed_benchmark_goes_by_the_name_that_it_calls_itself(made: dict[str, Benchmark], tmp_path, monkeypatch):
    home = made["numerals"].home
    (tmp_path / "numerals_plugin.py").write_text(
        f"from nas.datasets import read_benchmark\nBENCHMARK = read_benchmark({str(home)!r})\n"
    )
    info = tmp_path / "other_team-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-team\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nas.benchmarks]\nnumerals = numerals_plugin:BENCHMARK\nteams_numerals = numerals_plugin:BENCHMARK\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    registry.owners.cache_clear()
    try:
        found = resolve_benchmark("numerals")
        assert found == made["numerals"]
        monkeypatch.chdir(tmp_path)
        assert is_at_hand(found)
        definition = {"name": "numerals", "version": found.version, "folder": {"sha256": found.declaration.data.sha256}}
        assert find_again(definition, "a", None) == found
        with pytest.raises(NasError) as refused:
            resolve_benchmark("teams_numerals")
    finally:
        registry.owners.cache_clear()
    assert str(refused.value) == (
        "The benchmark 'teams_numerals' of other-team (numerals_plugin:BENCHMARK) calls itself 'numerals'; give both one name."
    )
