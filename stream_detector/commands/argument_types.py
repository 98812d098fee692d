"""Parse the values of command-line options. Error messages state which values are allowed."""

from __future__ import annotations

import argparse
from datetime import datetime
from zoneinfo import ZoneInfo

from stream_detector.settings.input_settings import time_zone
from stream_detector.values import MissingValues


def count(text: str) -> int:
    """Parse an integer of at least 1."""
    if not text.isascii() or not text.isdigit() or not 1 <= len(text) <= 9 or int(text) < 1:
        msg = f"{text!r} is not a whole number of at least 1"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def positive(text: str) -> float:
    """Parse a number greater than 0."""
    value = _number(text)
    if not 0.0 < value < 1e9:
        msg = f"{text!r} is not a number greater than 0"
        raise argparse.ArgumentTypeError(msg)
    return value


def share(text: str) -> float:
    """Parse a number of at least 0 and less than 1."""
    value = _number(text)
    if not 0.0 <= value < 1.0:
        msg = f"{text!r} is not a share: at least 0 and less than 1"
        raise argparse.ArgumentTypeError(msg)
    return value


def moment(text: str) -> datetime:
    """Parse a time with a time zone."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        msg = f"{text!r} is not a time with a time zone, such as 2026-11-23T07:00:00Z"
        raise argparse.ArgumentTypeError(msg)
    return parsed


def zone(text: str) -> ZoneInfo:
    """Parse the name of a time zone."""
    try:
        return time_zone(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def missing(text: str) -> MissingValues:
    """Parse words and numbers that mean missing, separated by commas: for all features, or as FEATURE=VALUE."""
    try:
        return MissingValues.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
