"""`stream-detector check`: look at Kafka, Redis, the model and a sample of the readings, as `run` would meet them.

It creates nothing, joins no group and writes nothing. Exit codes: 0 all well (warnings or not), 1 something is wrong, 2 nothing
was found wrong, but something could not be found out.
"""

from __future__ import annotations

import argparse
import json
import logging
import textwrap
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from stream_detector.checkup.findings import Finding, Level, counted, exit_code
from stream_detector.commands.argument_types import count
from stream_detector.commands.settings_options import add_settings_options, copyable, settings_arguments, settings_of
from stream_detector.logs import silence_kafka_client

_STYLES: dict[Level, str] = {"ok": "green", "warning": "yellow", "error": "bold red", "unchecked": "magenta"}
_MARK, _ABOUT, _WIDTH = 11, 18, 118


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--sample", type=count, default=2000, metavar="N", help="newest records of the input topic to look at")
    parser.add_argument("--replicas", type=count, metavar="N", help="how many replicas you want to run")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Print the findings; return the exit code. Every wait is bounded by the settings' time-outs."""
    from stream_detector.commands.check_parts import findings_of

    settings = settings_of(arguments)
    silence_kafka_client()
    logging.getLogger("stream_detector").addHandler(logging.NullHandler())  # the findings say what the log would
    options = settings_arguments(arguments)
    findings = [_copyable(one, options) for one in findings_of(settings, arguments.sample, arguments.replicas)]
    code = exit_code(findings)
    if arguments.json:
        document = {"exit_code": code, "findings": [finding.as_json() for finding in findings]}
        print(json.dumps(document, ensure_ascii=False, indent=2))  # noqa: T201 - the command line prints
    else:
        _show(findings, options)
    return code


def _copyable(finding: Finding, options: Sequence[str]) -> Finding:
    """Return the finding with the options in the commands that it names."""
    commands = tuple([copyable(one, options) for one in finding.what_to_do])
    return replace(finding, text=copyable(finding.text, options), what_to_do=commands)


def _show(findings: Sequence[Finding], options: Sequence[str]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    width = min(_WIDTH, console.width)
    for finding in findings:
        line = Text(f"{finding.level:<{_MARK}}", style=_STYLES[finding.level])
        line.append(f"{finding.about:<{_ABOUT}}", style="bold")
        first, *others = textwrap.wrap(_printable(finding.text), max(40, width - _MARK - _ABOUT)) or [""]
        console.print(line.append(first, style="default"))
        indent = " " * (_MARK + _ABOUT)
        for other in others:
            console.print(Text(indent + other))
        for command in finding.what_to_do:
            console.print(Text(f"{indent}> {_printable(command)}", style="cyan"))
    console.print(_summary(findings, options))


def _summary(findings: Sequence[Finding], options: Sequence[str]) -> Text:
    levels = [finding.level for finding in findings]
    errors, warnings, open_ones = (levels.count(level) for level in ("error", "warning", "unchecked"))
    if not (errors or warnings or open_ones):
        return Text(copyable("all well: stream-detector run", options), style="green")
    parts = [counted(errors, "error"), counted(warnings, "warning")]
    return Text(", ".join(parts + ([f"{open_ones} could not be checked"] if open_ones else [])))


def _printable(text: str) -> str:
    """Return the text without control characters: details quote records."""
    return "".join(character if character.isprintable() else "?" for character in text)
