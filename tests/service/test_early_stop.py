"""A process ends at its signal at once, also while its main thread is in a library and as the first process of a container."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from stream_detector.settings.group import PREFIX
from tests.integration.topics import until
from tests.servers.processes import free_port

#: Much longer than an end at once takes, much shorter than the work that the signal interrupts.
AT_ONCE_SECONDS = 20.0
BUSY = """
import hashlib, signal, sys
from stream_detector.service.early_stop import end_at_once
end_at_once({signal.SIGTERM: 7, signal.SIGINT: 8})
%s
print("busy", flush=True)
hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)  # no handler runs before its end
"""
OWN_HANDLER = "signal.signal(signal.SIGTERM, lambda *_: None)"
#: How a process becomes the first one of its own process space, as in a container.
AS_FIRST = ("unshare", "--pid", "--fork", "--kill-child", "--map-root-user")


def first_processes_are_possible() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*AS_FIRST, "true"], capture_output=True, timeout=30, check=False).returncode == 0


def busy(script: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "busy\n"
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8)])
def test_a_signal_ends_a_process_whose_main_thread_is_in_a_library(number: signal.Signals, code: int) -> None:
    with busy(BUSY % "") as process:
        process.send_signal(number)

        assert process.wait(AT_ONCE_SECONDS) == code


def test_a_handler_that_is_installed_later_takes_over() -> None:
    with busy(BUSY % OWN_HANDLER) as process:
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.send_signal(signal.SIGINT)

        assert process.wait(AT_ONCE_SECONDS) == 8


def starting(log: Path, prefix: Sequence[str], **settings: object) -> subprocess.Popen[bytes]:
    """Start a service whose Kafka does not answer; it waits for it for minutes."""
    given = {"KAFKA__BROKERS": f"127.0.0.1:{free_port()}", "HTTP__PORT": 0, "HTTP__HOST": "127.0.0.1", **settings}
    given |= {"SERVICE__START_SECONDS": 600, "SERVICE__LOG_FORMAT": "text", "MODEL__TILE_ROWS": 48}
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environ |= {PREFIX + name: str(value) for name, value in given.items()}
    with log.open("wb") as file:
        return subprocess.Popen([*prefix, sys.executable, "-m", "stream_detector", "run"], env=environ, stderr=file)


def terminate(process: subprocess.Popen[bytes], log: Path, prefix: Sequence[str], moment: str) -> int:
    """Send SIGTERM once the log has these words; return the exit code."""

    def is_the_moment() -> bool:
        assert process.poll() is None, log.read_text()
        return moment in log.read_text()

    try:
        until(is_the_moment)
        number = process.pid if not prefix else int(children(process.pid)[0])
        os.kill(number, signal.SIGTERM)
        return process.wait(AT_ONCE_SECONDS)
    finally:
        process.kill()
        process.wait(AT_ONCE_SECONDS)


def children(number: int) -> list[str]:
    return Path(f"/proc/{number}/task/{number}/children").read_text().split()


MOMENTS = {
    "loading": ("loading the model in", "stopping at once"),
    "connecting": ("connecting to Kafka", "stopping at once"),
    "waiting for Kafka": ("waiting for Kafka", "stopping at once"),
}


@pytest.mark.parametrize(("moment", "last"), MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize("prefix", [(), AS_FIRST], ids=["as any process", "as the first of a container"])
def test_a_service_that_has_not_joined_its_group_ends_at_once_and_says_so(
    prefix: Sequence[str], moment: str, last: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    if prefix and not first_processes_are_possible():
        pytest.skip("this machine does not allow a process space of one's own")
    log = tmp_path / "log"

    code = terminate(starting(log, prefix, MODEL__DIRECTORY=tiny_model_directory), log, prefix, moment)

    assert code == 0
    assert log.read_text().splitlines()[-1].endswith(f"{last}: there is nothing to finish")
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("command", ["train", "score", "evaluate", "watch"])
def test_another_command_that_is_the_first_process_ends_with_the_usual_code(command: str, tmp_path: Path) -> None:
    """As `docker compose run` and `docker stop` do it: a signal without a handler would be lost."""
    if not first_processes_are_possible():
        pytest.skip("this machine does not allow a process space of one's own")
    pipe = tmp_path / "readings.csv"
    os.mkfifo(pipe)  # whoever reads it waits
    options = {
        "train": ["--input", str(pipe), "--output", str(tmp_path / "model")],
        "score": ["--model", str(pipe), "--input", str(pipe), "--output", str(tmp_path / "out.csv")],
        "evaluate": ["--model", str(pipe), "--input", str(pipe)],
        "watch": ["--config", str(pipe)],
    }
    arguments = [*AS_FIRST, sys.executable, "-m", "stream_detector", command, *options[command]]
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: len(children(process.pid)) == 1 and is_handled(int(children(process.pid)[0]), signal.SIGTERM))
            os.kill(int(children(process.pid)[0]), signal.SIGTERM)
            code = process.wait(AT_ONCE_SECONDS)
        finally:
            process.kill()

    assert code == 143


def is_handled(number: int, sent: signal.Signals) -> bool:
    status = Path(f"/proc/{number}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (sent - 1) & 1)
