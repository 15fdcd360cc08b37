"""All rows of the fault suite, in the order of its table."""

import bad_candidates
import canaries
import full_disks
import killed_drivers
import own_costs
import shared_studies
import struck_ledgers
import struck_workers
from frame import Row

ROWS: tuple[Row, ...] = (
    *killed_drivers.ROWS,
    *struck_workers.ROWS,
    *struck_ledgers.ROWS,
    *full_disks.ROWS,
    *canaries.ROWS,
    *bad_candidates.ROWS,
    *shared_studies.ROWS,
    *own_costs.ROWS,
)
