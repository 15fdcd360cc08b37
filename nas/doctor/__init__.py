"""Whether this machine and this installation are fit for runs, and what would make them fitter.

`examine` answers with one `Check` after the other. It changes nothing. What may load torch, crash or hang runs in processes of
its own, so that a broken installation is diagnosed, not suffered.
"""

from nas.doctor.check import Check, Verdict
from nas.doctor.examining import examine

__all__ = ["Check", "Verdict", "examine"]
