"""Servers whose users these tests create."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.redis.user_stores import missing
from tests.servers.processes import ServerMissingError
from tests.servers.valkey import Valkey, running_cluster, running_valkey


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    try:
        with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
            yield server
    except ServerMissingError as error:
        missing(error)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Valkey]]:
    try:
        with running_cluster(tmp_path_factory.mktemp("cluster")) as nodes:
            yield nodes
    except ServerMissingError as error:
        missing(error)
