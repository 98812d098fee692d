"""One part of the benchmark, found by its name.

A new process finds no function of `__main__`, so this is a module of its own.
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.performance.figures import Figure, Places, RunSize


def measure_part(name: str, size: RunSize, directory: Path, models: Path) -> list[Figure]:
    """Run one part in this process."""
    directory.mkdir(parents=True, exist_ok=True)
    module = importlib.import_module(f"tests.benchmarks.performance.{name}")
    with ExitStack() as parts:
        figures: list[Figure] = module.measure(Places(directory, models, parts), size)
    return figures
