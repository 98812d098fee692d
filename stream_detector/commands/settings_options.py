"""Declares the options --config and --secrets, which the commands share, reads the settings, and repeats the options."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import Settings
from stream_detector.settings.sources import load_settings

#: The file that `init` writes.
USUAL_FILE = "detector.toml"
#: Commands that fail without settings, because they need the plant's topic.
_NEED_SETTINGS = ("check", "dead-letters", "rekey", "run", "show", "status", "watch")
_TAKE_SETTINGS = ("convert", "evaluate", "score", "simulate", "train", *_NEED_SETTINGS)
_COMMAND = re.compile(rf"(stream-detector (?:{'|'.join(_TAKE_SETTINGS)})(?: replay)?)(?![\w:-])(?![^`\n]*--config)")


def add_settings_options(parser: argparse._ActionsContainer) -> None:
    """Declare --config and --secrets."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML); the environment takes precedence")
    parser.add_argument("--secrets", type=Path, metavar="DIR", help="directory with one file per secret setting")


def settings_arguments(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return these options again, for another command that reads the same settings; none of a command without them."""
    given = (("--config", getattr(arguments, "config", None)), ("--secrets", getattr(arguments, "secrets", None)))
    return tuple(text for name, value in given if value is not None for text in (name, str(value)))


def options_text(options: Sequence[str]) -> str:
    """Return options as a shell takes them after a command, with a space before; empty if there are none."""
    return f" {shlex.join(options)}" if options else ""


def copyable(text: str, options: Sequence[str]) -> str:
    """Return the text with the options in each command of ours, so that a command copied from it reads the same settings."""
    return _COMMAND.sub(lambda match: match[1] + options_text(options), text)


def unread_file(arguments: argparse.Namespace) -> str:
    """Say that there is a settings file which was not given, if that may be why a command failed; else return nothing."""
    is_topic_wanted = arguments.command in _NEED_SETTINGS or bool(getattr(arguments, "from_topic", False))
    if not is_topic_wanted or arguments.config is not None or not Path(USUAL_FILE).is_file():
        return ""
    if any(name.upper().startswith(f"{PREFIX}KAFKA__") for name in os.environ):
        return ""
    return f"{USUAL_FILE} in this folder was not read; with its settings: add --config {USUAL_FILE}"


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Read the settings. Raises SettingsError, which names each invalid setting."""
    return load_settings(arguments.config, arguments.secrets)
