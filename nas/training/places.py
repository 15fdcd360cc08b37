"""Where a benchmark looks for data that no package ships."""

import os
from pathlib import Path

VARIABLE = "NAS_DATA"
"""The environment variable that names a folder of data sets, for all benchmarks."""


def find_data(data: Path | None, *names: str) -> tuple[Path, ...] | None:
    """The files called `names`, which lie in one folder; None where there is no folder that holds them all.

    The folder is `data` where a user names one, else that of NAS_DATA, or in either the folder `train`. Where `data` is a
    file and one is looked for, it is that file, whatever its name.
    """
    if data is not None and len(names) == 1 and data.is_file():
        return (data,)
    root = data or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    for folder in (root, root / "train") if root is not None else ():
        files = tuple(folder / name for name in names)
        if all(file.is_file() for file in files):
            return files
    return None
