"""Real servers for the tests: Apache Kafka and Valkey, started on free ports and stopped at the end."""

from __future__ import annotations
