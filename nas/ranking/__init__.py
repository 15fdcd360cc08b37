"""Records → an order: leaderboards of rows that can be compared, and their Pareto fronts."""

from nas.ranking.agreement import Audit, Audited, audit_of
from nas.ranking.flat import flat_rows, frame
from nas.ranking.leaderboard import COSTS, Row, Summary, Table, figure_names, leaderboard, rank
from nas.ranking.pareto import dominates, pareto_front, pareto_layers
from nas.ranking.volume import Hypervolume, hypervolume

__all__ = [
    "COSTS",
    "Audit",
    "Audited",
    "Hypervolume",
    "Row",
    "Summary",
    "Table",
    "audit_of",
    "dominates",
    "figure_names",
    "flat_rows",
    "frame",
    "hypervolume",
    "leaderboard",
    "pareto_front",
    "pareto_layers",
    "rank",
]
