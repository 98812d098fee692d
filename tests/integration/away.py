"""A service whose Kafka and Redis a test can cut off: the process, the networks between, and its log."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.assembly import build_detector
from stream_detector.detection.detector import Detector
from stream_detector.settings.schema import AlertSettings, RuleSettings, StateSettings
from tests.fixtures_model import FEATURES, tiny_values
from tests.integration.expectation import expected_alerts
from tests.integration.service_process import QUICK_START, ServiceProcess, environment
from tests.integration.topics import Topics, by_sensor
from tests.pipeline.replica_config import reading
from tests.servers.socks_proxy import SocksProxy
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.valkey import Valkey

PARTITIONS = 2
SENSORS = ("pump-0", "pump-1")  # one in each partition, known to the model
START_MS = 1_767_300_000_000
HISTORY, SLICE = 24, 16
FAULT_AT = (0,)  # readings of each slice that are far too hot; the rest is long enough for its incident to be closed
UPDATE_SECONDS = 2.0
MAX_LAG_SECONDS = 2.0
SESSION_SECONDS = 3.0
#: Shorter than what the tests take away, longer than any single wait.
WATCHDOG_SECONDS = 6.0


class Away:
    """One replica with a trained model, and its servers, each behind its own network: `kafka` and `redis`."""

    def __init__(self, brokers: str, valkey: Valkey, model: Path, directory: Path, *, scorer: KerasScorer) -> None:
        self.valkey = valkey
        self._scorer = scorer
        self._stack = ExitStack()
        self.kafka, self.redis = SocksProxy(), TcpProxy(valkey.address)
        self._stack.callback(self.kafka.close)
        self._stack.callback(self.redis.close)
        self.topics = Topics(
            brokers,
            directory.name,
            PARTITIONS,
            session_timeout_seconds=SESSION_SECONDS,
            request_timeout_seconds=2,
            transaction_timeout_seconds=2,
        )
        self._stack.callback(self.topics.close)
        self._seconds = 0
        self.produce(HISTORY, ())
        self._starts = self.topics.ends()
        self._environ = environment(
            self.topics.settings,
            f"redis://127.0.0.1:{self.redis.port}/0",
            model,
            KAFKA__EXTRA=json.dumps({"proxy_url": self.kafka.url}),
            ALERTS__UPDATE_SECONDS=UPDATE_SECONDS,
            REDIS__TIMEOUT_SECONDS=1,
            REDIS__MAX_LAG_SECONDS=MAX_LAG_SECONDS,
            SERVICE__WATCHDOG_SECONDS=WATCHDOG_SECONDS,
            **QUICK_START,
            RULES__SILENT_SECONDS=0,  # its silences depend on how fast this machine is
        )
        self._log = directory / "log"
        self._said = 0
        self.at_start: list[str] = []  # the log until the service was first ready

    def start(self) -> None:
        """Start the service."""
        self.service = ServiceProcess(self._environ, self._log)
        self._stack.callback(self.service.kill)

    def close(self) -> None:
        """Stop the service and its servers."""
        self._stack.close()

    def produce(self, count: int = SLICE, fault_at: Sequence[int] = FAULT_AT, sensors: Sequence[str] = SENSORS) -> None:
        """Append `count` readings of each sensor, a second apart; those of `fault_at` are far too hot."""
        first, self._seconds = self._seconds, self._seconds + count
        for sensor in sensors:
            number = int(sensor.removeprefix("pump-"))
            values = tiny_values(self._seconds, number)[first:].tolist()
            records = []
            for at, (temperature, pressure) in enumerate(values):
                heat = 40.0 if at in fault_at else 0.0
                stamp = START_MS + 1000 * (first + at)
                records.append((sensor, reading(sensor, stamp, temperature + heat, pressure, features=FEATURES)))
            self.topics.produce(number % PARTITIONS, records)

    def log_lines(self) -> list[str]:
        """Return level and message of each log line since the last `clear_log`."""
        return [f"{line['level']} {line['message']}" for line in self.service.lines()[self._said :]]

    def has_logged(self, words: str) -> bool:
        """Return whether the words are in the log since the last `clear_log`."""
        return any(words in line for line in self.log_lines())

    def clear_log(self) -> None:
        """Make `log_lines` and `has_logged` ignore the log up to now."""
        self._said = len(self.service.lines())

    def is_ready(self) -> bool:
        """Return whether /readyz reports ready; a replica without partitions is ready, too."""
        return self.service.get("/readyz")[0] == 200 and self.service.metric("assigned_partitions") == PARTITIONS

    def cpu_share(self, seconds: float) -> float:
        """Measure the share of a core that the process uses."""
        process = psutil.Process(self.service.process.pid)
        before, began = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after = process.cpu_times()
        share = float(after.user + after.system - before.user - before.system) / (time.monotonic() - began)
        print(f"{share:.1%} of a processor")
        return share

    def is_all_committed(self) -> bool:
        """Return whether the group has committed all records of the input topic."""
        return self.topics.ends().items() <= self.topics.committed().items()

    def alerts(self) -> dict[bytes | None, list[bytes | None]]:
        """Return each sensor's committed events."""
        return by_sensor(self.topics.alerts())

    def expected(self) -> dict[bytes | None, list[bytes | None]]:
        """Return the events that an uninterrupted service would have published by now."""

        def detector() -> Detector:
            alerts, rules = AlertSettings(update_seconds=UPDATE_SECONDS), RuleSettings(silent_seconds=0)
            return build_detector(self._scorer, StateSettings(), alerts, rules)

        records: list[Any] = self.topics.input()
        return expected_alerts(detector, records, self._starts)
