"""`stream-detector init`: look at a topic, say what it holds, and write settings that `run` can use as they are."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from stream_detector.commands.init_topic import propose_for_topic
from stream_detector.discovery.proposal import Proposal, toml_text
from stream_detector.errors import InputDataError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--brokers", required=True, metavar="HOST:PORT", help="brokers, separated by commas")
    parser.add_argument("--topic", required=True, help="topic of the readings; it is only read, without a consumer group")
    parser.add_argument("--output", type=Path, default=Path("detector.toml"), metavar="FILE", help="settings file to write")
    parser.add_argument("--force", action="store_true", help="overwrite the file if it is there")
    parser.add_argument("--redis-url", default="redis://localhost:6379/0", metavar="URL", help="state store for the settings")
    parser.add_argument("--registry-url", metavar="URL", help="schema registry, if the records need one")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def main(arguments: argparse.Namespace) -> int:
    """Look, say, write; return the exit code."""
    if arguments.output.exists() and not arguments.force:
        msg = f"{arguments.output} is there already; give another --output, or --force to overwrite it"
        raise InputDataError(msg)
    proposal = propose_for_topic(arguments.brokers, arguments.topic, arguments.redis_url, arguments.registry_url)
    text = toml_text(proposal, f"Written by stream-detector init for topic {arguments.topic}.")
    _write(arguments.output, text)
    _say(arguments, proposal)
    return 0


def _write(path: Path, text: str) -> None:
    """Write the file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}"
        raise InputDataError(msg) from None


def _say(arguments: argparse.Namespace, proposal: Proposal) -> None:
    out = arguments.output
    if arguments.json:
        found = {"found": proposal.found, "not_sure": proposal.doubts, "settings": proposal.settings(), "output": str(out)}
        print(json.dumps(found, ensure_ascii=False, indent=2))  # noqa: T201 - the command prints
        return
    for line in (*proposal.found, *(f"Not sure: {doubt}" for doubt in proposal.doubts)):
        print(line)  # noqa: T201 - the command prints
    next_step = f"Wrote {out}: each setting has its reason beside it. Next:\n\n  stream-detector run --config {out}"
    print(f"\n{next_step}")  # noqa: T201 - the command prints
