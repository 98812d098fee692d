"""Says what to type after a training: what fits a model that may run, one that lost, and one that was rejected."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stream_detector.commands.settings_options import options_text
from stream_detector.commands.train_output import WIDTH
from stream_detector.settings.group import PREFIX
from stream_detector.timestamps import duration
from stream_detector.training.extent import Extent

QUESTION = "3. What next?"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a trained model."""

    directory: Path  # where it is
    inputs: Sequence[Path]  # files that it was trained on; none: the topic
    extent: Extent  # of its history
    is_promoted: bool | None  # None: it could not be compared
    stays: Path | None = None  # directory of the model that it was rejected for; None: it was not
    is_too_short: bool = False  # it was rejected for the length of its history
    has_oddities: bool = False  # something stands out in the history, and the first answer names it
    previous: Path | None = None  # where the model is that it replaced
    form: Sequence[str] = ()  # options with which other files are read as these were


def next_answer(outcome: Outcome) -> str:
    """Say what to do and type next, with this model's paths."""
    return _after_rejection(outcome, outcome.stays) if outcome.stays else _to_a_run(outcome)


def _after_rejection(outcome: Outcome, stays: Path) -> str:
    """Keep the model there running, and look at the history."""
    keep = f"Keep running the model in {stays}; nothing has to be restarted."
    if outcome.is_too_short:
        cure = (
            f"For a model that may take its place, train on {duration(outcome.extent.enough_seconds)} or more: the whole "
            "history that you have, not its newest part only."
        )
    else:
        named = ", beginning with the hours named under 1" if outcome.has_oddities else ""
        cure = (
            f"Then look at the history that this one was trained on{named}: a fault in it, values in other units or of other "
            "machines? Leave such hours out, and train again."
        )
    override = "Only if you know that this one is right: the same command with --replace takes it all the same."
    if not outcome.inputs:
        return "\n".join([*_lines(f"{QUESTION} {keep} {cure}"), *_lines(override, "   ")])
    of = "this history" if len(outcome.inputs) == 1 else "this history, file by file"
    form = options_text(outcome.form)
    command = f"   {_program()} score --model {stays} --input {outcome.inputs[0]} --output scored.csv{form}"
    see = f"See what the model there and the rules find in {of}:"
    return "\n".join([*_lines(f"{QUESTION} {keep} {see}"), command, *_lines(f"{cure} {override}", "   ")])


def _to_a_run(outcome: Outcome) -> str:
    """Look at what it finds, measure it, and run it."""
    model, program, form = outcome.directory, _program(), options_text(outcome.form)
    baseline = f" --baseline-training {' '.join(map(str, outcome.inputs))}" if outcome.inputs else ""
    return "\n".join(
        [
            *_lines(f"{QUESTION} {_advice(outcome)}"),
            f"   {program} score --model {model} --input FILE.csv --output scored.csv{form}",
            f"   {program} evaluate --model {model} --input LABELLED.csv \\\n     --output report{baseline}{form}",
            f"   {PREFIX}MODEL__DIRECTORY={model} {program} run",
        ]
    )


def _advice(outcome: Outcome) -> str:
    see = "See what it says about readings that it was not trained on, measure it if you know the faults in them, then run it"
    if outcome.is_promoted is False:
        see = (
            "It is not promoted, so measure it before you run it: see what it says about readings that it was not trained on, "
            "and how it does where you know the faults. Run it only if that is good enough for you"
        )
    elif outcome.extent.is_far_too_short:
        enough = duration(outcome.extent.enough_seconds)
        see = f"Try it, and train again as soon as you have {enough} of history. {see}"
    if outcome.previous:
        see = f"A service that runs with {outcome.directory} goes on with the model before until it is restarted. {see}"
    return f"{see}:"


def _lines(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False
    )


def _program() -> str:
    """Return what the user types for this program."""
    typed = sys.argv[0]
    if shutil.which("stream-detector") or not typed.endswith("stream-detector"):
        return "stream-detector"
    return typed
