"""Telling of what fails for a while: one line when it begins, one when it is over, however often it is tried in between."""

from __future__ import annotations

import logging
from collections.abc import Callable


class Outage:
    """What may fail for a while. The attempts between the first failure and the next success are logged at DEBUG."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float], over: str | None = None) -> None:
        """`over` is logged, with the duration, when it works again; None where that is told elsewhere."""
        self._logger = logger
        self._clock = clock
        self._over = over
        self._since: float | None = None

    def failed(self, message: str, *arguments: object) -> None:
        """Note a failure."""
        self._logger.log(logging.WARNING if self._since is None else logging.DEBUG, message, *arguments)
        if self._since is None:
            self._since = self._clock()

    def ended(self) -> None:
        """Note a success."""
        if self._since is not None and self._over is not None:
            self._logger.warning("%s after %.1f s", self._over, self._clock() - self._since)
        self._since = None
