"""Jobs as plain data, to any process or machine and back."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from nas.benchmark import Budget
from nas.execution.jobs import Job, Question
from nas.records import Descent
from nas.space import Architecture


def job_to_data(job: Job) -> dict[str, Any]:
    """Plain data, ready for JSON."""
    return {
        **{name: getattr(job, name) for name in ("id", "seed", "final", "every_seconds")},
        "architecture": job.architecture.to_data(),
        "budget": asdict(job.budget),
        "folder": str(job.folder.absolute()) if job.folder else None,
        "weights": str(job.weights.absolute()) if job.weights else None,
        "descent": job.descent.to_data() if job.descent else None,
        "asks": sorted(job.asks),
    }


def job_from_data(data: Mapping[str, Any]) -> Job:
    """The job that `job_to_data` wrote."""
    return Job(
        **{
            **data,
            "architecture": Architecture.from_data(data["architecture"]),
            "budget": Budget(**data["budget"]),
            "folder": Path(data["folder"]) if data["folder"] else None,
            "weights": Path(data["weights"]) if data["weights"] else None,
            "descent": Descent.from_data(data["descent"]) if data["descent"] else None,
            "asks": cast("frozenset[Question]", frozenset(data["asks"])),
        }
    )
