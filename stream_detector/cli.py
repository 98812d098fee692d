"""The command line: finds the command, runs it, and turns errors into one message and an exit code.

Exit codes: 0 done, 1 an error that was understood (one message on stderr, no traceback), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from stream_detector import __version__
from stream_detector.errors import StreamDetectorError

COMMANDS = {
    "run": "read the sensor topic, publish anomaly events (the service)",
    "train": "train a model from files or from the topic",
    "score": "score a file offline, as the stream would",
    "evaluate": "judge a model on labelled readings, beside simple detectors",
    "watch": "show alerts as they come",
    "simulate": "make readings of a fleet of pumps, with faults: to a topic or a file",
    "demo": "the whole job in one terminal, on embedded servers",
}


#: Of a command, in place of argparse's list of all options.
USAGE = "%(prog)s [OPTION ...] (%(prog)s --help lists them)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # TensorFlow reads these when it is imported: its banner is no news to the user.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    asked = next((word for word in arguments if not word.startswith("-")), None)
    parsed = _parse(asked, arguments)
    try:
        return int(importlib.import_module(f"stream_detector.commands.{parsed.command}").main(parsed))
    except StreamDetectorError as error:
        print(f"stream-detector {parsed.command}: {error}", file=sys.stderr)  # noqa: T201 - the command line prints
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Tells a default only where there is one; argparse has no other way than a subclass."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        says_nothing = action.default is None or action.default is False or action.default == ()
        return action.help if says_nothing else super()._get_help_string(action)


def _parse(asked: str | None, arguments: list[str]) -> argparse.Namespace:
    """Parse the arguments; wrong usage ends the program with the usage of the command that was asked for."""
    parser = _parser(asked)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.prog = f"{parser.prog} {parsed.command}"
        parser.usage = USAGE
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return parsed


def _parser(asked: str | None) -> argparse.ArgumentParser:
    """Build the parser; only the asked command's module is imported."""
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
        if name == asked:
            importlib.import_module(f"stream_detector.commands.{name}").add_arguments(command)
    return parser
