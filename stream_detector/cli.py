"""The command line: runs a command, and turns an error into one message and an exit code.

Exit codes: 0 success, 1 an error (a message on stderr, no traceback), 2 wrong usage, 3 a trained model that is worse than the
one it would replace, 4 a problem that `status` found, 130 interrupted, 143 ended by SIGTERM. `run` ends with 0 on SIGTERM and
on Ctrl-C. Of `check`, 1 also means that something is wrong, and 2 that something could not be found out.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType

from stream_detector import __version__
from stream_detector.commands.collector import collector_paused
from stream_detector.commands.settings_options import copyable, settings_arguments, unread_file
from stream_detector.errors import StreamDetectorError
from stream_detector.service.early_stop import end_at_once

COMMANDS = {
    "init": "look at a topic or files and write settings for it",
    "run": "read the sensor topic and publish anomaly events (the service)",
    "train": "train a model on files or on the topic",
    "convert": "write files of any form as one table, and say what was understood",
    "score": "score a file offline, exactly as the service would",
    "evaluate": "evaluate a model on labelled readings, next to simple detectors",
    "rekey": "copy a topic's readings to another topic, keyed by sensor",
    "check": "look at Kafka, Redis, model and readings before a run, and say what to mend",
    "watch": "show alerts as they arrive",
    "dead-letters": "list the records that could not be used, by reason, and write them back after a fix",
    "status": "show what the detector watches, and how it does, live or as JSON",
    "show": "show a sensor's last window beside what was expected",
    "simulate": "generate readings of a fleet of pumps, with faults, in a topic or a file",
    "demo": "run everything in one terminal, on embedded servers",
}


#: Usage line of a command, instead of argparse's list of all options.
USAGE = "%(prog)s [OPTION ...] (%(prog)s --help lists them)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    requested = next((word for word in arguments if not word.startswith("-")), None)
    if argv is None:  # this process is ours
        end_at_once({signal.SIGTERM: 0, signal.SIGINT: 0} if requested == "run" else {signal.SIGTERM: 128 + signal.SIGTERM})
    # TensorFlow reads these when it is imported. Its banner does not concern the user.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    parsed = _parse(requested, arguments)
    try:
        code = int(_module(parsed.command).main(parsed))
    except StreamDetectorError as error:
        _complain(parsed.command, copyable(str(error), settings_arguments(parsed)))
        code = 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has exited, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if code and (hint := unread_file(parsed)):
        _complain(parsed.command, hint)
    return code


def _complain(command: str, text: str) -> None:
    print(f"stream-detector {command}: {text}", file=sys.stderr)  # noqa: T201 - the command line prints


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows a default only where there is one. A subclass is the only way to change that in argparse."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        has_none = action.default is None or action.default is False or action.default == ()
        return action.help if has_none else super()._get_help_string(action)


def _parse(requested: str | None, arguments: list[str]) -> argparse.Namespace:
    """Parse the arguments. On wrong usage, print the usage of the requested command and exit."""
    parser = _parser(requested)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.prog = f"{parser.prog} {parsed.command}"
        parser.usage = USAGE
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return parsed


def _parser(requested: str | None) -> argparse.ArgumentParser:
    """Build the parser, importing only the module of the requested command."""
    parser = argparse.ArgumentParser(prog="stream-detector", description="Streaming anomaly detection for fleets of sensors.")
    parser.add_argument("--version", action="version", version=f"stream-detector {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            usage=USAGE,
            formatter_class=_HelpFormatter,
        )
        if name == requested:
            _module(name).add_arguments(command)
    return parser


def _module(command: str) -> ModuleType:
    with collector_paused():
        return importlib.import_module(f"stream_detector.commands.{command.replace('-', '_')}")
