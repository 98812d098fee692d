"""Shapes that no preset knows: `init` finds a mapping that reads them, or says what is missing and who can mend it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from stream_detector.commands.init_topic import understand
from stream_detector.discovery.proposal import toml_text
from stream_detector.settings.input_settings import InputSettings
from tests.discovery.records import FEATURES, MACHINES, proposal_of, steps
from tests.ingest.foreign import Foreign

#: Makes the key and the document of a machine at a time.
OfMachine = Callable[[int, str, dict[str, float]], tuple[str | None, object]]
#: Makes the document of all machines at a time.
OfPlant = Callable[[int, dict[str, dict[str, float]]], object]


def machine_by_machine(make: OfMachine) -> list[Foreign]:
    """Return a record for each machine and step."""
    made = [(time_ms, *make(time_ms, MACHINES[machine], values)) for _, time_ms, machine, values in steps()]
    return [record(time_ms, key, document) for time_ms, key, document in made]


def all_at_once(make: OfPlant) -> list[Foreign]:
    """Return a record for each step, with all machines."""
    by_time: dict[int, dict[str, dict[str, float]]] = {}
    for _, time_ms, machine, values in steps():
        by_time.setdefault(time_ms, {})[MACHINES[machine]] = values
    return [record(time_ms, None, make(time_ms, plant)) for time_ms, plant in by_time.items()]


def metric_by_metric(make: Callable[[int, str, str, float], object]) -> list[Foreign]:
    """Return a record for each machine, step and feature."""
    return [
        record(time_ms, None, make(time_ms, MACHINES[machine], name, value))
        for _, time_ms, machine, values in steps()
        for name, value in values.items()
    ]


def record(time_ms: int, key: str | None, document: object) -> Foreign:
    return Foreign(json.dumps(document).encode(), key.encode() if key else None, timestamp=time_ms + 20)


def written(time_ms: int, form: str) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime(form)


def pairs(values: dict[str, float], name: str, value: str) -> list[dict[str, object]]:
    return [{name: feature, value: number} for feature, number in values.items()]


def comma(values: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.2f}".replace(".", ",") for name, value in values.items()}


def each(make: OfMachine) -> Callable[[], list[Foreign]]:
    return partial(machine_by_machine, make)


def whole(make: OfPlant) -> Callable[[], list[Foreign]]:
    return partial(all_at_once, make)


def single(make: Callable[[int, str, str, float], object]) -> Callable[[], list[Foreign]]:
    return partial(metric_by_metric, make)


READ: dict[str, tuple[Callable[[], list[Foreign]], dict[str, Any]]] = {
    "seconds as text, values as text": (
        each(
            lambda t, m, v: (None, {"device": m, "epoch": str(t // 1000), **{k: str(x) for k, x in v.items()}}),
        ),
        {"time": "epoch", "sensor": "device", "values": "."},
    ),
    "German names, dates and decimal commas": (
        each(
            lambda t, m, v: (None, {"Anlage": m, "Zeitstempel": written(t, "%d.%m.%Y %H:%M:%S"), **comma(v)}),
        ),
        {"time": "Zeitstempel", "time_format": "%d.%m.%Y %H:%M:%S", "sensor": "Anlage", "values": "."},
    ),
    "a date and a time of day": (
        each(
            lambda t, m, v: (
                None,
                {"Maschine": m, "Datum": written(t, "%d.%m.%Y"), "Uhrzeit": written(t, "%H:%M:%S"), "Messwerte": v},
            ),
        ),
        {
            "time": "{Datum} {Uhrzeit}",
            "time_format": "%d.%m.%Y %H:%M:%S",
            "sensor": "Maschine",
            "values": "Messwerte",
        },
    ),
    "a date beside a whole time": (
        each(
            lambda t, m, v: (
                None,
                {"machine": m, "date": written(t, "%Y-%m-%d"), "time": written(t, "%Y-%m-%d %H:%M:%SZ"), **v},
            ),
        ),
        {"time": "time", "sensor": "machine", "values": "."},
    ),
    "one metric a message in German": (
        single(
            lambda t, m, k, x: {"Anlage": m, "Messgröße": k, "Messwert": x, "Zeit": written(t, "%Y-%m-%dT%H:%M:%SZ")},
        ),
        {"time": "Zeit", "sensor": "Anlage", "feature": "Messgröße", "value": "Messwert"},
    ),
    "sensor and time in a key that is JSON": (
        each(lambda t, m, v: (json.dumps({"machine": m, "ts": t}), v)),
        {"time": "$key.ts", "sensor": "$key.machine", "values": "."},
    ),
    "values in a list, names in another": (
        each(lambda t, m, v: (None, {"machine": m, "t": t, "names": list(v), "vals": list(v.values())})),
        {"sensor": "machine", "features": {"temp": "vals[0]", "pressure": "vals[1]", "rpm": "vals[2]"}},
    ),
    "a bridge of MQTT with one metric a message": (
        single(lambda t, m, k, x: {"topic": f"plant/{m}/{k}", "payload": str(x), "qos": 0, "timestamp": t}),
        {"time": "timestamp", "feature": "topic", "value": "payload", "tag_pattern": "(?P<sensor>.+)/(?P<feature>[^/]+)"},
    ),
    "a list of machines with lists of tags": (
        whole(lambda t, all_: {"ts": t, "machines": [{"id": m, "tags": pairs(v, "n", "v")} for m, v in all_.items()]}),
        {"readings": "machines", "time": "ts", "sensor": "id", "items": "tags", "feature": "n", "value": "v"},
    ),
    "a list of machines": (
        whole(
            lambda t, all_: {"ts": t, "seq": t // 10_000 % 7, "machines": [{"id": m, **v} for m, v in all_.items()]},
        ),
        {"readings": "machines", "time": "ts", "sensor": "id", "values": "."},
    ),
    "a record that is a list of machines": (
        whole(
            lambda t, all_: [{"asset": m, "when": t, "data": pairs(v, "channel", "reading")} for m, v in all_.items()],
        ),
        {"time": "when", "sensor": "asset", "items": "data", "feature": "channel", "value": "reading"},
    ),
    "lists of machines in a list of lines": (
        whole(
            lambda t, all_: {
                "header": {"sent": t + 500},
                "lines": [
                    {"machines": [{"name": m, "at": t, "signals": pairs(v, "signal", "value")} for m, v in all_.items()]}
                ],
            },
        ),
        {"readings": "lines[].machines[]", "time": "at", "sensor": "name", "items": "signals"},
    ),
    "a gateway whose tags name the machines": (
        whole(
            lambda t, all_: {
                "device": "gw-1",
                "ts": t,
                "tags": [{"tag": f"{m}_{k}", "value": x} for m, v in all_.items() for k, x in v.items()],
            },
        ),
        {"items": "tags", "feature": "tag", "tag_pattern": "(?P<sensor>.+)_(?P<feature>[^_]+)"},
    ),
}


@pytest.mark.parametrize("shape", READ)
def test_a_shape_that_a_mapping_can_read_gets_one(shape: str) -> None:
    records, expected = READ[shape]

    guess, profile, _ = understand(records())

    assert guess.settings.items() >= expected.items()
    assert not profile.rejected
    assert {name.rpartition("/")[2] for name in profile.sensors} == set(MACHINES)
    assert set(profile.features) >= set(FEATURES)
    assert profile.interval_seconds == 10
    assert {name for name, one in profile.features.items() if not one.kind} == set(FEATURES)
    written = tomllib.loads(toml_text(proposal_of(records()), "plant"))["input"]
    assert InputSettings(**written).model_dump().items() >= expected.items()


def csv_line(time_ms: int, machine: str, values: dict[str, float]) -> tuple[str | None, object]:
    cells = [machine, written(time_ms, "%Y-%m-%d %H:%M:%S"), *map(str, values.values())]
    return None, {"gateway": "GW7", "columns": "machine;time;temp;pressure;rpm", "line": ";".join(cells)}


def with_units(time_ms: int, machine: str, values: dict[str, float]) -> tuple[str | None, object]:
    units = zip(values.items(), ("°C", "bar", "1/min"), strict=True)
    return None, {"machine": machine, "time": time_ms, **{name: f"{value} {unit}" for (name, value), unit in units}}


def json_in_text(time_ms: int, machine: str, values: dict[str, float]) -> tuple[str | None, object]:
    return None, {"topic": f"plant/{machine}", "payload": json.dumps(values), "qos": 0, "timestamp": time_ms}


def senml(time_ms: int, machine: str, values: dict[str, float]) -> tuple[str | None, object]:
    return None, [{"bn": f"{machine}:", "bt": time_ms // 1000, "n": "temp", "v": values["temp"]}]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (csv_line, "line: text with several values ('press-"),
        (with_units, "temp, pressure, rpm: text with a number and a unit ('"),
        (json_in_text, "payload: text that holds JSON"),
        (senml, "SenML, which is not read yet"),
    ],
)
def test_what_no_mapping_can_read_is_refused_with_what_is_missing(make: OfMachine, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        understand(machine_by_machine(make))

    assert said in str(error.value)


def doubts() -> Iterator[tuple[str, Callable[[], list[Foreign]], str]]:
    """Yield shapes that are read in part, or not as meant, and what the doubt says."""
    yield (
        "text with a unit beside numbers",
        each(lambda t, m, v: (None, {"machine": m, "ts": t, **v, "oil": f"{v['temp']} °C"})),
        "oil: text with a number and a unit",
    )
    yield (
        "sensor and time in a key that is text",
        each(lambda t, m, v: (f"{m}|{t}", v)),
        "the keys hold a sensor and a time, such as 'press-",
    )
    yield (
        "machines that are names of fields",
        whole(lambda t, all_: {"ts": t, "machines": all_}),
        "machines has an object for each of press-1, press-2, press-3, press-4, press-5 and 1 more: if these are machines",
    )
    yield (
        "a sensor by no usual name",
        each(lambda t, m, v: (None, {"wer": m, "ts": t, **v})),
        "is the sensor in wer (press-",
    )
    yield (
        "two fields that may name the sensor",
        each(lambda t, m, v: (None, {"wer": m, "wo": f"hall {m[-1]}", "ts": t, **v})),
        "These have texts that repeat: wer (press-",
    )
    yield (
        "a list of numbers without names",
        each(lambda t, m, v: (None, {"machine": m, "ts": t, "vals": list(v.values())})),
        "the values are told by their place in vals",
    )


@pytest.mark.parametrize(("records", "said"), [pytest.param(records, said, id=name) for name, records, said in doubts()])
def test_what_is_not_sure_is_a_doubt_that_says_what_would_decide(records: Callable[[], list[Foreign]], said: str) -> None:
    assert any(said in doubt for doubt in proposal_of(records()).doubts)


QUALITIES: list[tuple[str, list[object], dict[str, Any], str]] = [
    ("quality", ["Good", "Bad"], {"quality": "quality"}, ""),
    ("Güte", ["gut", "schlecht"], {"quality": "Güte", "good_quality": ["gut*"]}, ""),
    ("quality", [0, 4], {"quality": "quality", "good_quality": ["0"]}, "is '0' the good quality in quality?"),
    ("status", [1, 2], {}, "the quality of the values? Most would be bad"),
]


@pytest.mark.parametrize(("name", "qualities", "expected", "said"), QUALITIES)
def test_a_quality_never_makes_most_values_missing(
    name: str, qualities: list[object], expected: dict[str, Any], said: str
) -> None:
    def one(time_ms: int, machine: str, feature: str, value: float) -> object:
        quality = qualities[time_ms // 10_000 % 20 == 0]
        return {"machine": machine, "metric": feature, "value": value, "ts": time_ms, name: quality}

    records = metric_by_metric(one)
    guess, profile, _ = understand(records)

    assert {part: guess.settings[part] for part in ("quality", "good_quality") if part in guess.settings} == expected
    assert not said or any(said in doubt for doubt in proposal_of(records).doubts)
    assert {name for name, one in profile.features.items() if not one.kind} == set(FEATURES)
    assert all(one.numbers >= 0.9 * one.readings for one in profile.features.values())


def test_a_quality_beside_values_of_an_object_counts_for_all_of_them() -> None:
    def judged(time_ms: int, machine: str, values: dict[str, float]) -> tuple[str | None, object]:
        return None, {"machine": machine, "ts": time_ms, "quality": "Good" if time_ms % 70_000 else "Bad", **values}

    flat = machine_by_machine(judged)

    guess, profile, _ = understand(flat)

    assert guess.settings["quality"] == "quality"
    assert set(profile.features) == set(FEATURES)
    assert all(one.numbers < one.readings for one in profile.features.values())


def test_day_and_month_are_told_by_the_times_of_the_records_or_a_doubt() -> None:
    def dated(time_ms: int, machine: str, values: dict[str, float]) -> tuple[str | None, object]:
        return None, {"machine": machine, "time": written(time_ms, "%d/%m/%Y %H:%M:%S"), **values}

    records = machine_by_machine(dated)  # the 23rd of November
    assert understand(records)[0].settings["time_format"] == "%d/%m/%Y %H:%M:%S"

    early = 1_793_534_400_000 - 1_795_417_920_000  # to the 1st of November: 01/11 may be the 11th of January
    shifted = machine_by_machine(lambda t, m, v: dated(t + early, m, v))
    assert any("is the day or the month first in '01/11/2026" in doubt for doubt in proposal_of(shifted).doubts)
