"""The options of `train` that say what columns and values mean, and what is said about those that it recognises."""

from __future__ import annotations

import argparse

from stream_detector.commands.argument_types import missing
from stream_detector.training.inspection import Choices


def add_column_options(data: argparse._ArgumentGroup) -> None:
    """Declare the options."""
    data.add_argument("--ignore-columns", type=names, default=(), metavar="A,B", help="columns that are not features")
    data.add_argument(
        "--context-columns",
        type=names,
        metavar="A,B",
        help="features that inform the model but are never scored, such as commands; '' for none "
        "(default: those that hold only 0 and 1, and set points by their name)",
    )
    data.add_argument(
        "--counter-columns",
        type=names,
        metavar="A,B",
        help="features that only rise, such as meters: watched by how fast they rise; '' for none (default: those recognised)",
    )
    data.add_argument(
        "--missing-values",
        type=missing,
        metavar="A,B,NAME=C",
        help="words and numbers that stand for a missing value, of all features or of one, such as Stale,-9999,flow=-1; "
        "'' to take no number for one (default: error codes that are recognised)",
    )
    data.add_argument(
        "--keep-columns", type=names, default=(), metavar="A,B", help="measurements, even if they look like labels or numbering"
    )


def choices_of(arguments: argparse.Namespace) -> Choices:
    """Return what the options decide."""
    return Choices(
        counters=arguments.counter_columns,
        context=arguments.context_columns,
        keep=arguments.keep_columns,
        find_missing=arguments.missing_values is None or bool(arguments.missing_values),
    )


def names(text: str) -> tuple[str, ...]:
    """Parse names separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
