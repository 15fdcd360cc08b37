"""A study → what programs for tracking experiments open: a database of Optuna's for its dashboard, runs of MLflow.

What is written is a copy: the ledger stays the record. To write again adds what is new, and changes nothing that had ended.
"""

from nas.trackers.mlflow_runs import to_mlflow
from nas.trackers.optuna_database import to_optuna
from nas.trackers.told import Told

__all__ = ["Told", "to_mlflow", "to_optuna"]
