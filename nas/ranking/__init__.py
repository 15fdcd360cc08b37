"""Records → an order: leaderboards of rows that can be compared, and their Pareto fronts."""

from nas.ranking.agreement import Audit, Audited, audit_of
from nas.ranking.certainty import Certainty, Interval
from nas.ranking.conditions import Difference
from nas.ranking.flat import flat_rows, frame
from nas.ranking.knee import knee_of
from nas.ranking.leaderboard import COSTS, Apart, Row, Summary, Table, figure_names, leaderboard, rank
from nas.ranking.order import ORDERS, PARETO, Order, Priority
from nas.ranking.pareto import dominates, pareto_front, pareto_layers
from nas.ranking.volume import Hypervolume, hypervolume

__all__ = [
    "COSTS",
    "ORDERS",
    "PARETO",
    "Apart",
    "Audit",
    "Audited",
    "Certainty",
    "Difference",
    "Hypervolume",
    "Interval",
    "Order",
    "Priority",
    "Row",
    "Summary",
    "Table",
    "audit_of",
    "dominates",
    "figure_names",
    "flat_rows",
    "frame",
    "hypervolume",
    "knee_of",
    "leaderboard",
    "pareto_front",
    "pareto_layers",
    "rank",
]
