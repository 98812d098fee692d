"""Kafka and Redis fail under a running service and return: the service recovers by itself, and logs each outage once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from stream_detector.adapters.keras_scorer import KerasScorer
from stream_detector.cli import main
from stream_detector.service.watchdog import STALLED_EXIT_CODE
from stream_detector.settings.group import PREFIX
from tests.integration.away import PARTITIONS, SESSION_SECONDS, WATCHDOG_SECONDS, Away
from tests.integration.expectation import expected_alerts
from tests.integration.replica import Replica
from tests.integration.service_process import environment
from tests.integration.topics import Topics, by_sensor, until
from tests.logging_state import logging_restored
from tests.pipeline.replica_config import START_MS, ReplicaConfig, reading
from tests.servers.processes import ServerMissingError
from tests.servers.socks_proxy import SocksProxy
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.valkey import Valkey, running_valkey

Change = Callable[[Away], object]
#: All attempts to reach what is away may take this share of a processor.
MOST_CPU = 0.5
CPU_SECONDS = 1.0
#: What a service may say from when Kafka goes away until it is back.
MOST_LINES = 10


@pytest.fixture(scope="module")
def away(
    kafka_brokers: str, tiny_model_directory: Path, tiny_scorer: KerasScorer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Away]:
    """A running service, started before Kafka and Redis were reachable."""
    directory = tmp_path_factory.mktemp("away")
    with ExitStack() as stack:
        try:
            valkey = stack.enter_context(running_valkey(directory / "valkey", append_only=True))
        except ServerMissingError as error:
            pytest.skip(str(error))
        away = stack.enter_context(closing(Away(kafka_brokers, valkey, tiny_model_directory, directory, scorer=tiny_scorer)))
        away.kafka.refuse()
        away.redis.refuse()
        away.start()
        until(lambda: away.has_logged("waiting for Kafka"), 120)
        away.kafka.restore()
        until(lambda: away.has_logged("the state store is away"))
        away.at_start = away.log_lines()
        away.redis.restore()
        until(away.is_ready)
        yield away


def goes_on(away: Away) -> None:
    """Check that the service catches up by itself, and that no event is missing, duplicated or different."""
    until(away.is_ready)
    away.topics.await_all_committed()
    assert away.alerts() == away.expected()
    assert away.service.process.poll() is None


def matches(lines: Sequence[str], patterns: Sequence[str]) -> bool:
    return len(lines) == len(patterns) and all(map(re.match, patterns, lines))


def test_a_service_that_finds_neither_kafka_nor_redis_at_its_start_waits_for_both(away: Away) -> None:
    troubles = [line for line in away.at_start if not line.startswith("INFO")]

    assert matches(troubles[-1:], ["ERROR the state store is away: Redis at .*[^.]\\. Sensors in memory continue, others wait"])
    assert {line.split(":")[0] for line in troubles[:-1]} == {"WARNING waiting for Kafka"}
    assert any(line.startswith("INFO The alarm limit for 0.1 false alarms per sensor and day") for line in away.at_start)
    goes_on(away)


REDIS: dict[str, tuple[Change, Change]] = {
    "killed": (lambda away: away.valkey.kill(), lambda away: away.valkey.start()),
    "half-open": (lambda away: away.redis.silence(), lambda away: away.redis.restore()),
    "out of memory": (lambda away: away.valkey.fill_memory(), lambda away: away.valkey.free_memory()),
    "without rights": (lambda away: set_rights(away, "-@scripting", "-set"), lambda away: set_rights(away, "+@all")),
}


def set_rights(away: Away, *rules: str) -> None:
    with closing(away.valkey.client()) as client:
        client.execute_command("ACL", "SETUSER", "default", *rules)  # type: ignore[no-untyped-call]  # redis-py's


@pytest.mark.parametrize(("take", "give_back"), REDIS.values(), ids=REDIS)
def test_without_redis_sensors_in_memory_are_scored_for_a_while_and_then_the_stream_holds_until_it_is_back(
    away: Away, take: Change, give_back: Change
) -> None:
    away.clear_log()
    take(away)
    away.produce()
    away.topics.await_all_committed()
    until(lambda: away.service.metric("held_partitions") == PARTITIONS)
    status, committed = away.service.get("/readyz")[0], away.topics.committed()
    away.produce()
    cpu_share = away.cpu_share(CPU_SECONDS)
    committed_later = away.topics.committed()
    give_back(away)
    goes_on(away)

    assert status == 503
    assert committed_later == committed
    assert cpu_share < MOST_CPU
    assert away.service.metric("held_partitions") == 0
    assert matches(
        away.log_lines(),
        [
            "ERROR the state store is away: Redis at .*[^.]\\. Sensors in memory continue, others wait",
            r"ERROR holding partitions \[0, 1\] until the state store answers",
            "INFO not ready",
            r"WARNING the state store answers again after [\d.]+ s",
            "WARNING the state store answers: reading continues",
            "INFO ready",
        ],
    ), away.log_lines()


def test_a_slow_redis_makes_it_slower_and_nothing_else(away: Away) -> None:
    away.clear_log()
    away.redis.slow(0.2)
    for _ in range(3):
        away.produce()
        away.topics.await_all_committed()
    away.redis.restore()
    goes_on(away)

    assert away.log_lines() == []


def silence_and_cut(away: Away) -> None:
    away.kafka.silence()
    away.kafka.cut()


def refuse_and_cut(away: Away) -> None:
    away.kafka.refuse()
    away.kafka.cut()


#: How Kafka goes away, and for how long at least.
KAFKA: dict[str, tuple[Change, float]] = {
    "half-open": (lambda away: away.kafka.silence(), 0.0),
    "half-open, connections lost": (silence_and_cut, WATCHDOG_SECONDS + 1),
    "not there": (refuse_and_cut, 0.0),
}


@pytest.mark.parametrize(("take", "seconds"), KAFKA.values(), ids=KAFKA)
def test_without_kafka_the_service_is_not_ready_says_so_once_and_goes_on_when_it_is_back(
    away: Away, take: Change, seconds: float
) -> None:
    away.clear_log()
    began = time.monotonic()
    take(away)
    away.produce()
    until(lambda: not away.is_ready())
    cpu_share = away.cpu_share(CPU_SECONDS)
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    meanwhile = away.log_lines()
    away.kafka.restore()
    goes_on(away)

    assert matches(meanwhile, [f"WARNING Kafka has not answered for {SESSION_SECONDS:g} s", "INFO not ready"]), meanwhile
    assert len(away.log_lines()) <= MOST_LINES
    assert cpu_share < MOST_CPU


def test_with_the_coordinators_silent_while_data_flow_the_service_waits_for_them(away: Away) -> None:
    away.clear_log()
    began = time.monotonic()
    away.kafka.stall_coordinators()
    away.produce()
    until(lambda: away.has_logged("the sink is not usable yet"))
    cpu_share = away.cpu_share(CPU_SECONDS)
    time.sleep(max(0.0, began + WATCHDOG_SECONDS + 1 - time.monotonic()))
    away.kafka.restore()
    goes_on(away)

    assert sum("the sink is not usable yet" in line for line in away.log_lines()) == 1
    assert len(away.log_lines()) <= MOST_LINES
    assert cpu_share < MOST_CPU


def test_connections_that_break_again_and_again_lose_and_double_nothing(away: Away) -> None:
    for _ in range(5):
        away.produce()
        away.kafka.cut()
        away.redis.cut()
        time.sleep(0.3)
    goes_on(away)


def test_a_slow_kafka_makes_it_slower_and_nothing_else(away: Away) -> None:
    away.clear_log()
    away.kafka.slow(0.2)
    away.produce()
    away.topics.await_all_committed()
    away.kafka.restore()
    goes_on(away)

    assert away.log_lines() == []


def test_an_orderly_stop_needs_neither_kafka_nor_redis(away: Away) -> None:
    away.kafka.silence()
    away.redis.silence()

    assert away.service.stop() == 0


def test_a_sensor_that_is_not_in_memory_waits_for_redis_and_is_not_taken_for_new(
    kafka_brokers: str, own_valkey: Valkey, unique_name: str
) -> None:
    with ExitStack() as stack:
        topics = stack.enter_context(closing(Topics(kafka_brokers, unique_name, 2, start="earliest")))
        redis = stack.enter_context(closing(TcpProxy(own_valkey.address)))

        def produce(seconds: range) -> None:
            for partition, sensor in enumerate(("sleeper", "awake")):
                values = [(sensor, reading(sensor, START_MS + 1000 * at, at * 0.37 % 1.0, 1.0)) for at in seconds]
                topics.produce(partition, values)

        def replica() -> Replica:
            return stack.enter_context(closing(Replica(topics.settings, f"redis://127.0.0.1:{redis.port}/0")))

        produce(range(12))
        first = replica()
        first.run(lambda: topics.ends() == topics.committed())
        first.close()
        second = replica()
        second.run(lambda: second.pipeline.is_ready and second.pipeline.assigned == 2)
        topics.produce(1, [("awake", reading("awake", START_MS + 12_000, 0.5, 1.0))])
        second.run(lambda: topics.ends() == topics.committed())

        redis.refuse()
        redis.cut()
        produce(range(13, 30))
        second.run(lambda: topics.committed()[1] == topics.ends()[1] and second.pipeline.holding == 1)
        committed = topics.committed()[0]
        redis.restore()
        second.run(lambda: topics.ends() == topics.committed())

        assert committed == 12
        expected = expected_alerts(lambda: ReplicaConfig().detector(), topics.input())
        assert by_sensor(topics.alerts()) == expected
        assert any(json.loads(value or b"{}")["window"]["last_offset"] >= committed for value in expected[b"sleeper"])


def test_the_watchdog_ends_a_process_whose_loop_hangs_and_logs_where() -> None:
    command = [sys.executable, "-m", "tests.integration.hanging", "1.5"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    last = json.loads(ended.stderr.splitlines()[-1])
    assert ended.returncode == STALLED_EXIT_CODE == 75
    assert last["level"] == "CRITICAL"
    assert "in poll_and_hang" in ended.stderr
    assert re.fullmatch(
        r"no progress for 2 s \(STREAM_DETECTOR_SERVICE__WATCHDOG_SECONDS is 2\): "
        "ending the process so that it is restarted",
        last["message"],
    )


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    compiled_once: None,  # noqa: ARG001
) -> Iterator[Callable[[dict[str, str]], str]]:
    """Run the service in this process, where it cannot start; return its error message."""

    def run_command(environ: dict[str, str]) -> str:
        for name, value in environ.items():
            if name.startswith(PREFIX):
                monkeypatch.setenv(name, value)
        assert main(["run"]) == 1
        return capsys.readouterr().err.splitlines()[-1]

    with logging_restored():
        yield run_command


def test_a_kafka_that_is_silent_at_the_start_is_given_up_after_a_bound(
    kafka_brokers: str, unique_name: str, tiny_model_directory: Path, run: Callable[[dict[str, str]], str]
) -> None:
    with closing(Topics(kafka_brokers, unique_name)) as topics, closing(SocksProxy()) as network:
        network.silence()
        extra = json.dumps({"proxy_url": network.url})
        settings = {"KAFKA__EXTRA": extra, "SERVICE__START_SECONDS": 1.5}

        message = run(environment(topics.settings, "redis://127.0.0.1:1/0", tiny_model_directory, **settings))

    assert f"no Kafka broker at {kafka_brokers} answered within 1.5 s." in message
    assert f"Check {PREFIX}KAFKA__BROKERS" in message


def test_a_missing_topic_that_may_not_be_created_is_named(
    kafka_brokers: str, unique_name: str, tiny_model_directory: Path, run: Callable[[dict[str, str]], str]
) -> None:
    with closing(Topics(kafka_brokers, unique_name)) as topics:
        missing = topics.settings.model_copy(update={"input_topic": f"{unique_name}.elsewhere", "create_topics": False})

        message = run(environment(missing, "redis://127.0.0.1:1/0", tiny_model_directory))

    assert message == (
        f"stream-detector run: {PREFIX}KAFKA__INPUT_TOPIC: there is no topic {missing.input_topic}; "
        f"create it, or set {PREFIX}KAFKA__CREATE_TOPICS=true"
    )
