"""`stream-detector show SENSOR`: its last window beside what was expected, as a plot, as JSON, or as one HTML file."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from stream_detector.adapters.kafka.topic_tail import TopicTail
from stream_detector.alert_view import Palette, printable
from stream_detector.assembly import silence_rules
from stream_detector.commands.argument_types import count
from stream_detector.commands.built_in_start import start_built_in
from stream_detector.commands.inspected import (
    MOST_ALERTS,
    Inspected,
    built_in_model_of,
    inspected,
    newest_of,
    open_store,
)
from stream_detector.commands.model_start import start_scorer
from stream_detector.commands.rekey_engine import behind
from stream_detector.commands.settings_options import add_settings_options, settings_of
from stream_detector.commands.zone_option import add_zone_option, shown_zone
from stream_detector.detection.scorer import Scorer
from stream_detector.detection.silence import read_note
from stream_detector.errors import InputDataError, RetriableError, StreamDetectorError
from stream_detector.files import replaced_file
from stream_detector.inspection.alarms import OpenIncident, alarms_of
from stream_detector.inspection.judge import Judge, Model
from stream_detector.inspection.scored_window import Scored, score_window
from stream_detector.inspection.sensor_view import Found, SensorView, names_like, sensor_view
from stream_detector.inspection.sensors import sensors_of
from stream_detector.inspection.show_html import sensor_page
from stream_detector.inspection.show_json import sensor_document
from stream_detector.inspection.show_view import render_sensor
from stream_detector.inspection.stored import StateReader, metas_of, stored_names
from stream_detector.inspection.window import StoredWindow, stored_window
from stream_detector.logs import silence_kafka_client
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import Settings
from stream_detector.state.idle import are_idle
from stream_detector.state.record_layout import shape_of_layout

_USUAL_WIDTH = 80
#: Names that are looked through for those like one that does not exist, for so many seconds at most.
_MOST_NAMES, _NAMES_SECONDS = 100_000, 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("sensor", metavar="SENSOR", help="the sensor's id")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print one JSON document")
    output.add_argument("--html", type=Path, metavar="FILE", help="write one HTML file that needs nothing else")
    parser.add_argument("--features", type=count, default=6, metavar="N", help="plot at most N features in the terminal")
    add_zone_option(parser, shows=True)
    add_settings_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Show a sensor; return the exit code. Raises InputDataError if it has no stored state."""
    settings = behind(settings_of(arguments))
    silence_kafka_client()
    now_ms = time.time_ns() // 1_000_000
    view = replace(_view(arguments.sensor, settings, inspected(settings), now_ms), zone=shown_zone(arguments, settings.input))
    if arguments.json:
        sys.stdout.write(json.dumps(sensor_document(view, now_ms), ensure_ascii=False) + "\n")
    elif arguments.html is not None:
        with replaced_file(arguments.html) as unfinished:
            unfinished.write_text(sensor_page(view, now_ms), encoding="utf-8")
    else:
        console = Console(highlight=False, markup=False, emoji=False)
        width = console.width if sys.stdout.isatty() or "COLUMNS" in os.environ else _USUAL_WIDTH
        for line in render_sensor(view, Palette.for_encoding(sys.stdout.encoding), width, arguments.features, now_ms):
            console.print(line, soft_wrap=True)
    sys.stdout.flush()
    return 0


def _view(sensor: str, settings: Settings, known: Inspected, now_ms: int) -> SensorView:
    store = open_store(settings)
    try:
        found, others = _find(sensor, store, settings, known)
    finally:
        store.close()
    window = stored_window(found.records)
    scored, not_scored = _scored(found, window, settings, known)
    events, notes = _open_incidents(settings.kafka, now_ms)
    if others:
        numbers = ", ".join(map(str, others))
        notes = [*notes, f"it is stored in partition {numbers} too: all readings of a sensor need the same key"]
    if scored and known.uses_built_in:
        notes = [*notes, f"the score is of the built-in model, which knows no sensor: there is none in {known.subject.model}"]
    return sensor_view(
        found,
        window,
        scored,
        settings.rules.units,
        input_topic=settings.kafka.input_topic,
        not_scored=not_scored,
        events=events,
        notes=notes,
    )


def _find(sensor: str, store: StateReader, settings: Settings, known: Inspected) -> tuple[Found, list[int]]:
    """Return the sensor where it was read last, and the other partitions that have it."""
    metas = metas_of(store)
    if not metas:
        msg = (
            f"Redis at {known.subject.redis} holds no state of group {settings.kafka.group_id} and topic "
            f"{settings.kafka.input_topic}: `stream-detector status` says more"
        )
        raise InputDataError(msg)
    found = []
    for number, meta in metas.items():
        judge = _judge_of(meta.layout, settings, known)
        (stored,) = store.load(number, meta.epoch, [sensor])
        if stored is None or judge is None:
            continue
        silence = read_note(meta.note, meta.next_position)
        statuses, _ = sensors_of(number, {sensor: stored}, judge, [silence] if silence else [])
        found += [Found(status, judge.decode([stored])[0], judge) for status in statuses]
    found.sort(key=lambda one: -one.status.last_ms)
    if not found:
        names = stored_names(store, metas, _MOST_NAMES, time.monotonic, _NAMES_SECONDS)
        raise InputDataError(_not_found(sensor, names_like(sensor, names), len(names)))
    return found[0], [one.status.partition for one in found[1:]]


def _judge_of(layout: str, settings: Settings, known: Inspected) -> Judge | None:
    """Return the judge of a stored layout: with the model, or where there is none with the built-in one, as in `run`."""
    silences, shape = silence_rules(settings.rules), shape_of_layout(layout)
    if shape is None or not known.uses_built_in:
        return Judge.of(layout, known.model, silences)
    scorer = start_built_in(settings, shape)
    return Judge.of(layout, built_in_model_of(scorer, settings) if scorer else None, silences)


def _not_found(sensor: str, near: Sequence[str], looked_at: int) -> str:
    shown = printable(sensor, 100)
    hint = f"; did you mean {', '.join(printable(name, 100) for name in near)}?" if near else ""
    return f"there is no sensor {shown} among the {looked_at:,} stored ones{hint or '. `stream-detector status` names them'}"


def _scored(found: Found, window: StoredWindow, settings: Settings, known: Inspected) -> tuple[Scored | None, str]:
    """Score the window, or say why not."""
    subject, status = known.subject, found.status
    if known.artifact is None and found.judge.model is None:
        return None, subject.model_problem or f"there is no model in {subject.model}"
    if found.judge.model is None:
        return None, f"the model in {subject.model} has other features or another window than the stored state"
    only_while = found.judge.model.only_while
    if are_idle(found.records, only_while)[0]:
        return None, f"it is idle, for {only_while.condition.text if only_while else ''} does not hold"
    if status.filled < status.window_length and not status.is_known:
        return None, f"its window is filling, {status.filled} of {status.window_length} readings"
    model = found.judge.model
    scorer = _scorer(model, settings, known)
    table_rows = model.sensors.find([status.sensor])
    records = found.judge.as_of_model(found.records, table_rows)
    scored = score_window(scorer, model, records, table_rows, window)
    return scored, "" if scored else "its newest reading has no value that the model scores"


def _scorer(model: Model, settings: Settings, known: Inspected) -> Scorer:
    if known.artifact is not None:
        return start_scorer(known.artifact, settings, threads=1)
    scorer = start_built_in(settings, model.shape)
    assert scorer is not None, "the judge has a model"
    return scorer


def _open_incidents(kafka: KafkaSettings, now_ms: int) -> tuple[Sequence[OpenIncident], list[str]]:
    """Return the open incidents by their events; without Kafka none, and what that means."""
    try:
        with contextlib.closing(TopicTail(kafka, kafka.alerts_topic, MOST_ALERTS)) as tail:
            return alarms_of(newest_of(kafka, tail), kafka.input_topic, now_ms).open, []
    except RetriableError as error:
        return (), [f"Kafka does not answer, so incidents are without their sentences: {error}"]
    except StreamDetectorError as error:
        return (), [f"the alerts cannot be read, so incidents are without their sentences: {error}"]
