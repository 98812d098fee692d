"""`make audit` fails on what is vulnerable, and on what it could not find out."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.audit import NONE_KNOWN, UNKNOWN, VULNERABLE, judge, main

CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
HOLE = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1"], "description": "bad"}
HIT = {"name": "leaky", "version": "1.0", "vulns": [HOLE]}
SKIPPED = {"name": "odd", "skip_reason": "Dependency not found on PyPI and could not be audited: odd (3.0)"}


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([CLEAN], NONE_KNOWN, "no vulnerability is known of 1 packages"),
        ([CLEAN, HIT], VULNERABLE, "leaky 1.0: PYSEC-2026-1, CVE-2026-1; fixed in 1.1"),
        ([CLEAN, SKIPPED], UNKNOWN, "1 of 2 packages could not be looked up: Dependency not found on PyPI"),
        ([HIT, SKIPPED], VULNERABLE, "leaky 1.0"),
    ],
)
def test_the_exit_code_follows_from_the_report(dependencies: list[dict[str, Any]], code: int, said: str) -> None:
    judged, lines = judge(dependencies)

    assert judged == code
    assert said in "\n".join(lines)


def test_an_empty_report_is_no_success() -> None:
    assert judge([])[0] == UNKNOWN


def pip_audit(directory: Path, script: str) -> str:
    """Make a program that stands for pip-audit."""
    path = directory / "pip-audit"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_without_a_network_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = pip_audit(tmp_path, "echo 'Traceback (most recent call last):\nConnectionError: no route to pypi' >&2; exit 1")

    assert main([program]) == UNKNOWN

    said = capsys.readouterr().err
    assert said == "audit: the vulnerability service cannot be reached: ConnectionError: no route to pypi\n"


def test_the_pinned_versions_are_looked_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = json.dumps({"dependencies": [CLEAN], "fixes": []})
    program = pip_audit(tmp_path, f'test -f "$2" && case "$*" in *constraints.txt*) echo \'{report}\';; esac')

    assert main([program]) == NONE_KNOWN

    assert capsys.readouterr().out == "audit: no vulnerability is known of 1 packages\n"
