"""Structured logs: one JSON object per line, or text. The commands configure logging; the import does not."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime

#: Attributes of every log record. Any other attribute comes from the caller.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level, logger, message, the caller's fields and the traceback."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_logging(level: str, log_format: str) -> None:
    """Log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == "json" else text)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("stream_detector").setLevel(level)
    silence_kafka_client()


def silence_kafka_client() -> None:
    """Hide the Kafka client's own log lines, which contain passwords at the most verbose level.

    The adapters log its retries with their consequences instead. They listen to its loggers, so the loggers stay enabled.
    """
    kafka = logging.getLogger("kafka")
    kafka.propagate = False
    kafka.handlers[:] = [logging.NullHandler()]


class OutageLog:
    """Logs an outage: the first failure as a warning, further ones at DEBUG, and the end with the duration."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float], over: str | None = None) -> None:
        """`over` is the message at the end of the outage; None if another line reports it."""
        self._logger = logger
        self._clock = clock
        self._over = over
        self._since: float | None = None

    def failed(self, message: str, *arguments: object) -> None:
        """Log a failure."""
        self._logger.log(logging.WARNING if self._since is None else logging.DEBUG, message, *arguments)
        if self._since is None:
            self._since = self._clock()

    def ended(self) -> None:
        """Log the end of the outage, if there was one."""
        if self._since is not None and self._over is not None:
            self._logger.warning("%s after %.1f s", self._over, self._clock() - self._since)
        self._since = None
