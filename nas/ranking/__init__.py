"""Records → an order: leaderboards of rows that can be compared, and their Pareto fronts."""

from nas.ranking.leaderboard import COSTS, Row, Summary, Table, figure_names, leaderboard, rank
from nas.ranking.pareto import dominates, pareto_front, pareto_layers

__all__ = [
    "COSTS",
    "Row",
    "Summary",
    "Table",
    "dominates",
    "figure_names",
    "leaderboard",
    "pareto_front",
    "pareto_layers",
    "rank",
]
