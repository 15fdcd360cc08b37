"""All rows of the fault suite, in the order of its table."""

import bad_candidates
import killed_drivers
import own_costs
import shared_studies
import struck_workers
from frame import Row

ROWS: tuple[Row, ...] = (
    *killed_drivers.ROWS,
    *struck_workers.ROWS,
    *bad_candidates.ROWS,
    *shared_studies.ROWS,
    *own_costs.ROWS,
)
