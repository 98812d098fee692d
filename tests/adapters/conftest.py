from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture
def refused_connections(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """For tests of brokers that are away: the Kafka client leaves the sockets of refused connections to the collector.

    They hang on the errors in the log's records. pytest takes the filter back by itself.
    """
    warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
    yield
    caplog.get_records("call").clear()
    for _ in range(5):  # what a coroutine held is garbage only after the coroutine was collected
        gc.collect()
