"""Finds out from the client's log why the last attempt to connect failed.

Defect: when no broker lets the client in, its constructor raises KafkaTimeoutError without the cause. The cause, such as a
wrong password, is only in a warning of the logger kafka.net.manager. Seen in kafka-python 3.0.12; no upstream issue found.
"""

from __future__ import annotations

import logging

from stream_detector.adapters.kafka.security import remedy

#: The logger that gets the warnings, and the words that surround the cause in them.
LOGGER = "kafka.net.manager"
_BEFORE_CAUSE, _AFTER_CAUSE = "failed:", " (backoff"
#: The last warning only reports that no attempt succeeded in time.
_SUMMARY = "Bootstrap failed:"


class LastAttempt(logging.Handler):
    """A context manager that keeps the cause of the last failed attempt in `cause`; "" while there is none.

    A cause with a known remedy is not replaced by one without: with a wrong password, one attempt gets the brokers' answer
    and the next one only a closed connection.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.cause = ""
        self._logger = logging.getLogger(LOGGER)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the cause that a warning names."""
        text = record.getMessage()
        if _BEFORE_CAUSE not in text or text.startswith(_SUMMARY):
            return
        cause = text.split(_BEFORE_CAUSE, 1)[1].split(_AFTER_CAUSE)[0].strip()
        if remedy(cause) or not remedy(self.cause):
            self.cause = cause

    def __enter__(self) -> None:
        self._logger.addHandler(self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
