"""Declares the options --config and --secrets, which the commands share, and reads the settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from stream_detector.settings.schema import Settings
from stream_detector.settings.sources import load_settings


def add_settings_options(parser: argparse._ActionsContainer) -> None:
    """Declare --config and --secrets."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file (TOML); the environment takes precedence")
    parser.add_argument("--secrets", type=Path, metavar="DIR", help="directory with one file per secret setting")


def settings_arguments(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Return these options again, for another command that reads the same settings."""
    given = (("--config", arguments.config), ("--secrets", arguments.secrets))
    return tuple(text for name, value in given if value is not None for text in (name, str(value)))


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Read the settings. Raises SettingsError, which names each invalid setting."""
    return load_settings(arguments.config, arguments.secrets)
