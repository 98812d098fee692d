"""Commands that are printed to be copied have the options with which this command found its settings."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_detector.commands.settings_options import copyable, options_text, settings_arguments, unread_file

OPTIONS = ("--config", "the plant.toml", "--secrets", "secrets")
ADDED = "--config 'the plant.toml' --secrets secrets"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all well: stream-detector run", f"all well: stream-detector run {ADDED}"),
        ("Start `stream-detector run` with these", f"Start `stream-detector run {ADDED}` with these"),
        (
            "stream-detector dead-letters replay --reason REASON",
            f"stream-detector dead-letters replay {ADDED} --reason REASON",
        ),
        ("   .venv/bin/stream-detector score --model m", f"   .venv/bin/stream-detector score {ADDED} --model m"),
        ("stream-detector train -o m\nstream-detector run", f"stream-detector train {ADDED} -o m\nstream-detector run {ADDED}"),
        ("stream-detector run --config other.toml", "stream-detector run --config other.toml"),
        ("stream-detector run: no Kafka", "stream-detector run: no Kafka"),
        ("stream-detector init --brokers b", "stream-detector init --brokers b"),
        ("group stream-detector runs", "group stream-detector runs"),
        ("stream-detector-run", "stream-detector-run"),
    ],
)
def test_a_command_of_ours_gets_the_options_once_and_other_text_stays(text: str, expected: str) -> None:
    assert copyable(text, OPTIONS) == expected
    assert copyable(text, ()) == text


def test_the_options_are_those_that_were_given() -> None:
    assert settings_arguments(argparse.Namespace(config=Path("a.toml"), secrets=None)) == ("--config", "a.toml")
    assert settings_arguments(argparse.Namespace(command="demo")) == ()
    assert options_text(()) == ""


def test_a_settings_file_that_was_not_given_is_named_where_settings_are_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("STREAM_DETECTOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    status = argparse.Namespace(command="status", config=None)
    before = unread_file(status)
    (tmp_path / "detector.toml").touch()

    assert before == ""
    assert unread_file(status) == "detector.toml in this folder was not read; with its settings: add --config detector.toml"
    assert unread_file(argparse.Namespace(command="train", config=None, from_topic=True))
    assert not unread_file(argparse.Namespace(command="train", config=None, from_topic=None))
    assert not unread_file(argparse.Namespace(command="status", config=Path("detector.toml")))
    assert not unread_file(argparse.Namespace(command="demo"))
    monkeypatch.setenv("STREAM_DETECTOR_KAFKA__BROKERS", "kafka:9092")
    assert not unread_file(status)


def test_a_command_that_fails_without_its_settings_ends_with_one_line_on_the_file(tmp_path: Path) -> None:
    (tmp_path / "detector.toml").touch()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STREAM_DETECTOR_")}
    environ["STREAM_DETECTOR_REDIS__URL"] = "redis://127.0.0.1:1/0"
    command = [sys.executable, "-m", "stream_detector", "show", "pump-1"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("add --config detector.toml")
    assert len(done.stderr.splitlines()) == 2
