"""Bad candidates are those of the tests of `nas.execution`, and workers are timed as in the suites of speed."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "execution"), str(TESTS.parent / "benchmarks" / "speed")]
