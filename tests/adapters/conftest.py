from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture
def refused_connections() -> Iterator[None]:
    """For tests of brokers that are away: the Kafka client leaves the sockets of refused connections to the collector.

    pytest takes the filter back at the end of the test.
    """
    warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
    yield
    gc.collect()
