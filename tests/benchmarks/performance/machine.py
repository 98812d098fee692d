"""Describes the machine that figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from tests.servers import kafka_java, valkey

PROJECT = Path(__file__).resolve().parents[3]
ASK_SECONDS = 30.0
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware and software that figures depend on."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    tensorflow: str
    kafka: str
    java: str
    valkey: str
    commit: str

    @property
    def hardware(self) -> tuple[str, int, int]:
        """The properties that must be equal for figures to be comparable."""
        return self.processor, self.cores, self.memory_gb

    def describe(self) -> str:
        """Return the facts as a sentence."""
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gb} GB of memory; {self.system}, Python {self.python}, "
            f"TensorFlow {self.tensorflow}, Kafka {self.kafka} on Java {self.java}, {self.valkey}; commit {self.commit}"
        )


def this_machine() -> Machine:
    """Inspect this machine. A property that cannot be determined is "unknown"."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        memory_gb=round(psutil.virtual_memory().total / 2**30),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=platform.python_version(),
        tensorflow=_version("tensorflow-cpu", "tensorflow"),
        kafka=_kafka_version(),
        java=str(kafka_java.java_version() or UNKNOWN),
        valkey=_valkey_version(),
        commit=_commit(),
    )


def _processor() -> str:
    """Return the processor's name for itself, with its family and model if the name is unspecific."""
    facts: dict[str, str] = {}
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
        facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if "model name" not in facts:
        return _ask("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts.get('cpu family')}, model {facts.get('model')})"


def _version(*packages: str) -> str:
    for package in packages:
        with suppress(PackageNotFoundError):
            return version(package)
    return UNKNOWN


def _kafka_version() -> str:
    found = re.search(r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>([^<]+)", kafka_java.POM.read_text())
    return found.group(1) if found else UNKNOWN


def _valkey_version() -> str:
    shown = _ask(valkey.binary(), "--version")
    found = re.match(r"(\w+) server v=(\S+)", shown)
    return f"{found.group(1)} {found.group(2)}" if found else UNKNOWN


def _commit() -> str:
    """Return the commit; a "+" means that files of the detector differ from it."""
    commit = _ask("git", "rev-parse", "--short=10", "HEAD")
    changed = _ask("git", "status", "--porcelain", "--", "stream_detector")
    return f"{commit}+" if commit and changed else commit or UNKNOWN


def _ask(*command: str) -> str:
    """Return the output of a command, or "" if it fails."""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=True, cwd=PROJECT)
        return done.stdout.strip()
    return ""
