"""What other tests, and the suites of speed, have for the fault suite too."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS / "execution"), str(TESTS / "records"), str(TESTS.parent / "benchmarks" / "speed")]
