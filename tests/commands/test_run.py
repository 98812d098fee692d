"""`stream-detector run` where it cannot run: one line with the reason and the remedy, no traceback, no endless wait."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stream_detector.cli import main
from stream_detector.errors import PermanentDeliveryError
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import save_artifact
from stream_detector.settings.group import PREFIX
from stream_detector.settings.kafka_settings import KafkaSettings
from tests.integration.service_process import environment
from tests.integration.topics import Topics, headers
from tests.logging_state import logging_restored
from tests.servers.processes import free_port

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tiny_model_directory: Path,
    compiled_once: None,  # noqa: ARG001
) -> Iterator[Run]:
    """Run the command in this process with valid settings, changed by those given; return exit code and message."""

    def run_command(**settings: object) -> tuple[int, str]:
        would_do = {"MODEL__DIRECTORY": tiny_model_directory, "HTTP__HOST": "127.0.0.1", "HTTP__PORT": 0}
        for name, value in (would_do | settings).items():
            monkeypatch.setenv(PREFIX + name, str(value))
        code = main(["run"])
        errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("stream-detector run: ")]
        assert len(errors) == 1
        return code, errors[0]

    with logging_restored():
        yield run_command


def test_what_init_did_not_understand_keeps_it_from_starting(run: Run) -> None:
    code, error = run(SERVICE__UNANSWERED='["Set input.sensor", "Set input.values"]')

    assert code == 1
    assert "Set input.sensor; Set input.values. Set what is named there" in error
    assert error.endswith("then delete service.unanswered")


def test_a_wrong_setting_ends_the_process_with_one_line_that_names_it(tmp_path: Path) -> None:
    environ = {f"{PREFIX}HTTP__PORT": "eighty", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, "-m", "stream_detector", "run"], env=environ, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "stream-detector run: STREAM_DETECTOR_HTTP__PORT: should be a valid integer, unable to parse string as an integer"
    ]


def test_a_port_in_use_is_named(run: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        code, error = run(HTTP__PORT=port)

    assert code == 1
    assert f"STREAM_DETECTOR_HTTP__PORT: cannot listen on 127.0.0.1:{port}: " in error


@pytest.mark.parametrize(("log_format", "logged"), [("json", 1), ("text", 0)])
def test_the_reason_for_the_end_is_also_a_json_line_and_appears_once_in_text(
    log_format: str,
    logged: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(f"{PREFIX}MODEL__DIRECTORY", str(tmp_path / "none"))
    monkeypatch.setenv(f"{PREFIX}MODEL__REQUIRED", "true")
    monkeypatch.setenv(f"{PREFIX}HTTP__PORT", "0")
    monkeypatch.setenv(f"{PREFIX}SERVICE__LOG_FORMAT", log_format)

    with logging_restored():
        assert main(["run"]) == 1

    lines = capsys.readouterr().err.splitlines()
    message = lines[-1].removeprefix("stream-detector run: ")
    assert str(tmp_path / "none") in message
    json_lines = [json.loads(line) for line in lines if line.startswith("{")]
    critical = [line for line in json_lines if line["level"] == "CRITICAL"]
    assert [line["message"] for line in critical] == [message] * logged
    assert sum(message in line for line in lines) == 1 + logged


@pytest.mark.usefixtures("compiled_once")
def test_an_attempt_to_reach_kafka_does_not_outlast_the_start(
    tiny_model_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[float] = []

    def unreachable(settings: KafkaSettings) -> None:
        tried.append(settings.request_timeout_seconds)
        msg = "no broker, and none will come"
        raise PermanentDeliveryError(msg)

    monkeypatch.setattr("stream_detector.commands.connections.ensure_topics", unreachable)
    monkeypatch.setenv(f"{PREFIX}MODEL__DIRECTORY", str(tiny_model_directory))
    monkeypatch.setenv(f"{PREFIX}HTTP__PORT", "0")
    with logging_restored():
        for start_seconds in ("3", "60"):
            monkeypatch.setenv(f"{PREFIX}SERVICE__START_SECONDS", start_seconds)
            assert main(["run"]) == 1

    assert tried == [3.0, 15.0]  # the setting's default is 15


def test_a_missing_model_is_named_with_the_remedy_if_the_settings_require_one(run: Run, tmp_path: Path) -> None:
    code, error = run(MODEL__DIRECTORY=tmp_path / "none", MODEL__REQUIRED=True)

    assert code == 1
    assert str(tmp_path / "none") in error
    assert "train" in error


def test_a_broken_model_is_not_taken_for_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "copied").mkdir()
    (tmp_path / "copied" / "weights.npz").write_bytes(b"half")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")

    refused = {name: run(MODEL__DIRECTORY=tmp_path / name) for name in ("copied", "link", "file")}

    assert {name: code for name, (code, _) in refused.items()} == {"copied": 1, "link": 1, "file": 1}
    assert "not a model directory (manifest.json is missing)" in refused["copied"][1]
    assert "there is no such directory" in refused["link"][1]
    assert "cannot be read (Not a directory)" in refused["file"][1]


def _never_compiled(*_: object) -> None:
    msg = "a refused model was compiled"
    raise AssertionError(msg)


def test_a_model_that_lost_to_windowed_pca_is_refused_if_the_settings_say_so(
    run: Run, tmp_path: Path, tiny_artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = {"promoted": False, "overall": {"model": {"auc_pr": 0.25}, "windowed_pca": {"auc_pr": 0.5}}}
    save_artifact(replace(tiny_artifact, report={**tiny_artifact.report, "gate": lost}), tmp_path / "lost", b"")
    monkeypatch.setattr("stream_detector.adapters.keras_scorer.KerasScorer", _never_compiled)

    code, error = run(MODEL__DIRECTORY=tmp_path / "lost", MODEL__REFUSE_UNPROMOTED=True)

    assert code == 1
    assert "0.250 against 0.500" in error
    assert "STREAM_DETECTOR_MODEL__REFUSE_UNPROMOTED" in error


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the client forgets sockets that did not connect
def test_an_unreachable_kafka_is_given_up_after_a_limit_with_the_reason(run: Run) -> None:
    brokers = f"127.0.0.1:{free_port()}"

    code, error = run(KAFKA__BROKERS=brokers, KAFKA__REQUEST_TIMEOUT_SECONDS=1, SERVICE__START_SECONDS=1)
    gc.collect()  # while their warnings are ignored

    assert code == 1
    assert f"no Kafka broker at {brokers} answered within 1 s" in error
    assert "refused" in error.lower()
    assert "STREAM_DETECTOR_KAFKA__BROKERS" in error


def test_an_unusable_redis_url_is_named_without_its_password(run: Run, kafka_brokers: str, unique_name: str) -> None:
    topics = Topics(kafka_brokers, unique_name, 1)
    try:
        code, error = run(**kafka_settings(topics), REDIS__URL="http://:hidden@redis:6379")
    finally:
        topics.close()

    assert code == 1
    assert "STREAM_DETECTOR_REDIS__URL" in error
    assert "hidden" not in error


def test_too_many_bad_records_stop_the_service_without_committing_the_batch(
    run: Run, kafka_brokers: str, redis_url: str, unique_name: str
) -> None:
    topics = Topics(kafka_brokers, unique_name, 1, start="earliest", max_poll_records=20)
    try:
        topics.produce(0, [("pump", b"not a reading")] * 30)

        code, error = run(
            **kafka_settings(topics), REDIS__URL=redis_url, DEAD_LETTERS__MIN_COUNT=25, DEAD_LETTERS__MAX_SHARE=0.9
        )

        assert code == 1
        assert "30 of the last 30 records could not be used" in error
        assert "not_json" in error
        assert "STREAM_DETECTOR_DEAD_LETTERS__MAX_SHARE" in error
        assert topics.committed() == {0: 20}
        assert [int(headers(letter)["stream_detector.offset"] or b"-1") for letter in topics.dead_letters()] == list(range(20))
    finally:
        topics.close()


def test_records_with_unknown_features_are_read_without_them_if_the_setting_says_so(
    run: Run, kafka_brokers: str, redis_url: str, unique_name: str
) -> None:
    topics = Topics(kafka_brokers, unique_name, 1, start="earliest", max_poll_records=20)
    values = b'{"temperature": 20, "pressure": 1, "motor current": 3}'
    reading = b'{"sensor_id": "pump", "timestamp": %d, "values": %s}'
    try:
        topics.produce(0, [("pump", reading % (1_767_225_600 + second, values)) for second in range(20)])
        topics.produce(0, [("pump", b"not a reading")] * 30)

        code, error = run(
            **kafka_settings(topics), REDIS__URL=redis_url, DEAD_LETTERS__MIN_COUNT=45, INPUT__UNKNOWN_FEATURES="ignore"
        )

        assert code == 1
        assert "30 of the last 50 records could not be used" in error
        assert {headers(letter)["stream_detector.reason"] for letter in topics.dead_letters()} == {b"not_json"}
    finally:
        topics.close()


def kafka_settings(topics: Topics) -> dict[str, str]:
    """Return the settings of a service on these topics, as given to `run`."""
    settings = environment(topics.settings, "", Path())
    return {name.removeprefix(PREFIX): value for name, value in settings.items() if name.startswith(f"{PREFIX}KAFKA__")}
