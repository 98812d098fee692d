"""`pytest --fast` leaves out tests by what they do: those that need a server, start a process or load TensorFlow.

The rule needs no marks: a test that does one of these is skipped at that point, with the reason.
"""

from __future__ import annotations

import multiprocessing.process
import subprocess
import sys
from typing import Any, NoReturn

import pytest

_SERVERS = ("kafka", "redis", "registry", "browser")
_TENSORFLOW = ("tensorflow", "keras")


class _NoTensorFlow:
    """Skips the test, or the module, that imports TensorFlow."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in _TENSORFLOW:
            pytest.skip("--fast: loads TensorFlow", allow_module_level=True)


def _start_no_process(*_: Any, **__: Any) -> NoReturn:  # noqa: ANN401 - stands in for constructors of any arguments
    pytest.skip("--fast: starts a process", allow_module_level=True)


def leave_out_slow_tests() -> None:
    """From now on, skip whoever imports TensorFlow or starts a process."""
    sys.meta_path.insert(0, _NoTensorFlow())
    subprocess.Popen.__init__ = _start_no_process  # type: ignore[method-assign]
    multiprocessing.process.BaseProcess.start = _start_no_process  # type: ignore[method-assign]


def deselect_tests_of_servers(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that ask for a server."""
    needing = [item for item in items if any(item.get_closest_marker(server) for server in _SERVERS)]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in set(needing)]
