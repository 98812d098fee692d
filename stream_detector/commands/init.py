"""`stream-detector init`: look at a topic or at files, say what is there, and write settings that can be used as they are."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from stream_detector.commands.column_options import names
from stream_detector.commands.file_options import add_file_options
from stream_detector.commands.init_files import next_steps, propose_for_files
from stream_detector.commands.init_topic import propose_for_topic
from stream_detector.commands.zone_option import add_zone_option
from stream_detector.discovery.proposal import Proposal, toml_text
from stream_detector.errors import InputDataError, SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--brokers", metavar="HOST:PORT", help="brokers, separated by commas")
    parser.add_argument("--topic", help="topic of the readings; it is only read, without a consumer group")
    parser.add_argument(
        "--input", type=Path, nargs="+", metavar="FILE", help="files instead of a topic: tables, archives, folders of these"
    )
    parser.add_argument("--output", type=Path, default=Path("detector.toml"), metavar="FILE", help="settings file to write")
    parser.add_argument("--force", action="store_true", help="overwrite the file if it is there")
    parser.add_argument("--redis-url", default="redis://localhost:6379/0", metavar="URL", help="state store for the settings")
    parser.add_argument("--registry-url", metavar="URL", help="schema registry, if the records need one")
    add_zone_option(parser, reads=True)
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    files = parser.add_argument_group("form of the files (default: as they look)")
    _add_options_of_files(files)


def _add_options_of_files(files: argparse._ActionsContainer) -> None:
    files.add_argument("--ignore-columns", type=names, default=(), metavar="A,B", help="columns that are not features")
    add_file_options(files)


def main(arguments: argparse.Namespace) -> int:
    """Look, say, write; return the exit code."""
    _check(arguments)
    if arguments.input:
        found = propose_for_files(arguments)
        proposal, next_lines = found.proposal, next_steps(found, arguments.input, arguments.output)
        of = ", ".join(map(str, arguments.input))
    else:
        proposal = propose_for_topic(
            arguments.brokers, arguments.topic, arguments.redis_url, arguments.registry_url, str(arguments.time_zone or "")
        )
        next_lines, of = f"  stream-detector run --config {arguments.output}", f"topic {arguments.topic}"
    _write(arguments.output, toml_text(proposal, f"Written by stream-detector init for {of}."))
    _say(arguments, proposal, next_lines)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Raise an error for options that say neither or both, and for a file that is there."""
    is_of_topic = arguments.brokers or arguments.topic
    if arguments.input and is_of_topic:
        msg = "give either --brokers and --topic, or --input"
        raise SettingsError(msg)
    if not arguments.input and not (arguments.brokers and arguments.topic):
        msg = "what is to be looked at? Give --brokers HOST:PORT and --topic, or --input FILE"
        raise SettingsError(msg)
    if not arguments.input and (unused := _given_of_files(arguments)):
        msg = (
            f"{', '.join(unused)}: of files only, and not used with --topic. Leave that out; where init then reads the "
            "topic otherwise than you know it, change the file it writes: input.sensor is where the machine is, "
            "input.feature and input.value where a name and its value are (docs/input.md)"
        )
        raise SettingsError(msg)
    if arguments.output.exists() and not arguments.force:
        msg = f"{arguments.output} is there already; give another --output, or --force to overwrite it"
        raise InputDataError(msg)


def _given_of_files(arguments: argparse.Namespace) -> list[str]:
    """Return the options that were given although only files need them."""
    options = argparse.ArgumentParser(add_help=False)
    _add_options_of_files(options)
    defaults = vars(options.parse_args([]))
    given = [name for name, default in defaults.items() if getattr(arguments, name) != default]
    return [f"--{name.replace('_', '-')}" for name in (*given, *(["repeated_hour"] if arguments.repeated_hour else []))]


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise InputDataError(msg) from None


def _say(arguments: argparse.Namespace, proposal: Proposal, next_lines: str) -> None:
    out = arguments.output
    if arguments.json:
        commands = [line.strip() for line in next_lines.splitlines() if line.startswith("  ") and not proposal.stops]
        found = {
            "found": proposal.found,
            "not_sure": [*proposal.stops, *proposal.doubts],
            "settings": proposal.settings(),
            "output": str(out),
        }
        print(json.dumps({**found, "next": commands}, ensure_ascii=False, indent=2))  # noqa: T201 - the command prints
        return
    for line in (*proposal.found, *proposal.not_sure()):
        print(line)  # noqa: T201 - the command prints
    next_step = f"Wrote {out}: each setting has its reason beside it. Next:\n\n{next_lines}"
    if proposal.stops:
        next_step = (
            f"Wrote {out}, but do not run it yet: the records were probably not understood. Answer first what is said above."
        )
    print(f"\n{next_step}")  # noqa: T201 - the command prints
