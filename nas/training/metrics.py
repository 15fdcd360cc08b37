"""What a figure is called, which way is better, and what it means: all metrics that a task can measure.

The figures of a split carry its name before theirs: `validation_accuracy`, `test_rmse`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nas.benchmark import Direction
from nas.errors import BenchmarkError, did_you_mean, quote


@dataclass(frozen=True)
class Metric:
    """What one name stands for."""

    direction: Direction
    unit: str
    """"share" is a number from 0 to 1."""
    meaning: str
    """Its formula, and what becomes of ties and of classes that do not occur."""
    source: str


UNITS = ("token", "character", "byte", "word")
"""What a language model's tokens can be, for the name of its figure in bits."""

HITS = (1, 3, 10)
"""The ranks up to which a right entity counts as found."""

METRICS: Mapping[str, Metric] = {
    "accuracy": Metric(
        "maximize",
        "share",
        "right answers / all answers; an answer is the largest logit, of equal ones the one that argmax finds",
        "scikit-learn's accuracy_score",
    ),
    "balanced_accuracy": Metric(
        "maximize",
        "share",
        "mean over classes of right answers / examples of the class; a class without examples is left out",
        "Brodersen et al. 2010, ICPR; scikit-learn's balanced_accuracy_score",
    ),
    "f1": Metric(
        "maximize",
        "share",
        "mean over classes of 2·TP / (2·TP + FP + FN) (macro); a class that is neither wanted nor answered is left out",
        "scikit-learn's f1_score, average='macro'",
    ),
    "auroc": Metric(
        "maximize",
        "share",
        "the chance that an example of a class gets more of its probability than one of another class, a tie counting half; "
        "mean over classes, each against the rest (macro), those without examples left out; of two classes the second's alone; "
        "undefined, and refused, where all examples are of one class",
        "Hanley & McNeil 1982, Radiology 143; scikit-learn's roc_auc_score, multi_class='ovr'",
    ),
    "auroc_low": Metric(
        "maximize",
        "share",
        "the lower end of the 95 % interval of auroc of two classes, as far as it comes from the examples being few; "
        "what comes of training again is not in it",
        "Newcombe 2006, Statistics in Medicine 25, method 5; Hanley & McNeil 1982, Radiology 143",
    ),
    "auroc_high": Metric("maximize", "share", "the upper end of that interval", "as auroc_low"),
    "average_precision": Metric(
        "maximize",
        "share",
        "mean of the precision at each example of a class, these being found in the order of its probability, weighed by the "
        "recall that each adds, without interpolation; mean over classes as in auroc; chance reaches the share of the class",
        "scikit-learn's average_precision_score",
    ),
    "mrr": Metric(
        "maximize",
        "share",
        "mean of 1 / rank of the right entity among all that are not known to be right too (filtered); of equal scores the rank "
        "is the mean of the best and the worst that it could be (realistic); heads and tails asked for alike",
        "Bordes et al. 2013, NeurIPS, for the filter; Berrendorf et al. 2020, arXiv:2002.06914, for the ranks",
    ),
    **{
        f"hits_at_{most}": Metric(
            "maximize",
            "share",
            f"queries of which the right entity's rank, as in mrr, is at most {most} / all queries",
            "Bordes et al. 2013, NeurIPS",
        )
        for most in HITS
    },
    "loss": Metric(
        "minimize",
        "nats",
        "mean of −ln of the probability that the right answer gets; of a text's transcription, mean over texts of the CTC loss "
        "by character",
        "Graves et al. 2006, ICML, for CTC",
    ),
    "perplexity": Metric(
        "minimize",
        "tokens",
        "e to the mean of −ln of the next token's probability",
        "Jelinek et al. 1977, J. Acoust. Soc. Am. 62",
    ),
    **{
        f"bits_per_{unit}": Metric(
            "minimize", "bits", f"mean of −log2 of the next {unit}'s probability", "Graves 2013, arXiv:1308.0850, sec. 3.1"
        )
        for unit in UNITS
    },
    "word_error_rate": Metric(
        "minimize",
        "edits a word",
        "edits that lead from what was read to what was said / words that were said, over all texts together; an edit leaves a "
        "word out, puts one in or changes one, so that it can be above 1; undefined, and refused, where no text has a word",
        "torchmetrics' WordErrorRate",
    ),
    "character_error_rate": Metric(
        "minimize", "edits a character", "as word_error_rate, by characters, spaces being some", "torchmetrics' CharErrorRate"
    ),
    "rmse": Metric(
        "minimize",
        "the target's",
        "root of the mean square of output − target, over all numbers of all examples together",
        "scikit-learn's root_mean_squared_error, of all numbers in one row",
    ),
    "mae": Metric(
        "minimize",
        "the target's",
        "mean size of output − target, over all numbers of all examples together",
        "scikit-learn's mean_absolute_error",
    ),
    "r2": Metric(
        "maximize",
        "share",
        "1 − sum of squared errors / sum of squares of target − its mean; mean over the numbers of an example; below 0 where the "
        "mean would be the better answer; undefined, and refused, where a number is equal in all targets",
        "scikit-learn's r2_score",
    ),
    "frechet_distance": Metric(
        "minimize",
        "the features' own, squared",
        "squared Fréchet distance of normal distributions with the means and covariances of generated and real pictures, in the "
        "features of a fixed classifier that the benchmark names; not the FID, whose features are those of Inception",
        "Dowson & Landau 1982, J. Multivariate Anal. 12; Heusel et al. 2017, arXiv:1706.08500",
    ),
    "precision": Metric(
        "maximize",
        "share",
        "generated pictures that are no further from a real one than its third nearest real one, in a classifier's features",
        "Kynkäänniemi et al. 2019, arXiv:1904.06991",
    ),
    "recall": Metric(
        "maximize",
        "share",
        "real pictures that are no further from a generated one than its third nearest generated one, in a classifier's features",
        "Kynkäänniemi et al. 2019, arXiv:1904.06991",
    ),
    "density": Metric(
        "maximize",
        "a mean number",
        "mean number of real pictures whose fifth nearest real one is no nearer to them than the generated one, divided by five",
        "Naeem et al. 2020, arXiv:2002.09797",
    ),
    "coverage": Metric(
        "maximize",
        "share",
        "real pictures that have a generated one no further away than their fifth nearest real one",
        "Naeem et al. 2020, arXiv:2002.09797",
    ),
    "class_coverage": Metric(
        "maximize",
        "share",
        "of the classes that a fixed classifier finds in real pictures, those that it finds in generated ones at a tenth of "
        "their share at least; below 1 where a generator has collapsed onto some",
        "Santurkar et al. 2018, arXiv:1711.00970, sec. 3.1, as a count of classes",
    ),
}


def find_metric(name: str) -> Metric:
    """The metric called `name`, without the name of a split.

    Raises:
        BenchmarkError: there is none.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise BenchmarkError(f"No metric is called {quote(name)}. {did_you_mean(name, METRICS)}") from None


def choose(kind: str, always: Iterable[str], offered: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """What a task of `kind` measures: `always`, then what is `wanted` beside it, each once.

    Raises:
        BenchmarkError: what is wanted is no metric, or none that is `offered`.
    """
    names = tuple(dict.fromkeys((*always, *wanted)))
    known = {*always, *offered}
    for name in names:
        find_metric(name)
        if name not in known:
            raise BenchmarkError(f"{kind} does not measure {name!r}; it measures {', '.join(sorted(known))}.")
    return names
