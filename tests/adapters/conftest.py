from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture
def refused_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """For tests of brokers that are away: the Kafka client leaves the sockets of refused connections to the collector.

    They hang on the errors that the client logs, so the log must not be kept. pytest takes the filter back by itself.
    """
    monkeypatch.setattr(logging.getLogger("kafka"), "propagate", False)
    warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
    yield
    gc.collect()
