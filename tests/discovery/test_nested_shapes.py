"""Nested records of a German plant: the value one object deeper than its name, machines named in an object of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream_detector.commands.init_topic import understand
from tests.discovery.records import proposal_of
from tests.ingest.foreign import Foreign

START_MS, STEPS = 1_796_029_200_000, 120  # 2026-11-30T09:00:00Z, a step each ten seconds
PLANT = [f"ABF-{number}" for number in range(1, 8)]
CHANNELS = {"drehzahl": "1/min", "druck": "bar", "temperatur": "°C", "strom": "A", "vibration": "mm/s"}


def number(machine: int, channel: int, step: int) -> float:
    """Return a value that is no counter, no flag and no code."""
    return round(100.0 * (channel + 1) + machine + 3 * ((step * 37 + 11 * machine + 5 * channel) % 101) / 101, 3)


def clock(time_ms: int) -> str:
    return f"2026-11-30T10:{(time_ms - START_MS) // 60_000:02d}:{(time_ms - START_MS) // 1000 % 60:02d}+01:00"


def record(records: list[Foreign], time_ms: int, document: object) -> Foreign:
    """Return an unkeyed record; they go to three partitions in turn."""
    at = len(records)
    return Foreign(json.dumps(document).encode(), None, offset=at // 3, partition=at % 3, timestamp=time_ms + 20)


def one_by_one(make: Any) -> list[Foreign]:  # noqa: ANN401 - of the number of the message, machine, channel, time and value
    records: list[Foreign] = []
    for step in range(STEPS):
        for machine in range(len(PLANT)):
            for channel, name in enumerate(CHANNELS):
                time_ms, value = START_MS + step * 10_000, number(machine, channel, step)
                records.append(record(records, time_ms, make(len(records), machine, name, clock(time_ms), value)))
    return records


def plant(seq: int, machine: int, channel: str, time: str, value: float) -> object:
    return {
        "hdr": {"gw": "g1", "seq": seq},
        "anlage": {"werk": "w", "linie": "l", "maschine": {"kennung": PLANT[machine], "bj": 2012 + machine}},
        "messung": {"kanal": channel, "zeit": time, "wert": {"ist": value, "einheit": CHANNELS[channel]}},
    }


def short(seq: int, machine: int, channel: str, time: str, value: float) -> object:
    return {"seq": seq, "maschine": PLANT[machine], "kanal": channel, "zeit": time, "messung": {"ist": value, "soll": 100}}


def english(seq: int, machine: int, channel: str, time: str, value: float) -> object:
    measured = {"value": value, "unit": CHANNELS[channel]}
    return {"seq": seq, "machine": {"name": PLANT[machine]}, "time": time, "name": channel, "measurement": measured}


def sibling(seq: int, machine: int, channel: str, time: str, value: float) -> object:
    measured = {"kanal": channel, "zeit": time}
    return {"seq": seq, "maschine": PLANT[machine], "messung": measured, "wert": {"ist": value, "soll": 50, "einheit": "bar"}}


def english_sibling(seq: int, machine: int, channel: str, time: str, value: float) -> object:
    meta = {"tag": channel, "machine": PLANT[machine], "seq": seq}
    return {"meta": meta, "data": {"value": value, "quality": 192, "time": time}}


def above(seq: int, machine: int, channel: str, time: str, value: float) -> object:
    return {
        "head": {"source": {"asset": PLANT[machine], "signal": channel}, "nr": seq},
        "time": time,
        "value": value,
        "seq": seq,
    }


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            plant,
            {
                "sensor": "anlage.maschine.kennung",
                "time": "messung.zeit",
                "feature": "messung.kanal",
                "value": "messung.wert.ist",
            },
        ),
        (short, {"sensor": "maschine", "time": "zeit", "feature": "kanal", "value": "messung.ist"}),
        (english, {"sensor": "machine.name", "time": "time", "feature": "name", "value": "measurement.value"}),
        (sibling, {"sensor": "maschine", "time": "messung.zeit", "feature": "messung.kanal", "value": "wert.ist"}),
        (
            english_sibling,
            {
                "sensor": "meta.machine",
                "time": "data.time",
                "feature": "meta.tag",
                "value": "data.value",
                "quality": "data.quality",
            },
        ),
        (above, {"sensor": "head.source.asset", "time": "time", "feature": "head.source.signal", "value": "value"}),
    ],
)
def test_a_value_deeper_than_its_name_or_in_another_object_is_a_metric(make: Any, expected: dict[str, str]) -> None:  # noqa: ANN401 - a maker
    records = one_by_one(make)

    guess, profile, _ = understand(records)

    assert guess.settings == expected
    assert not profile.rejected
    assert set(profile.sensors) == set(PLANT)
    assert set(profile.features) == set(CHANNELS)
    settings = proposal_of(records).settings()["input"]
    assert settings["assemble_seconds"] == 10
    assert settings["repartition"] is True


def two_names(seq: int, _machine: int, channel: str, time: str, value: float) -> object:
    return {"meta": {"tag": channel, "signal": f"{channel}-1", "seq": seq, "zeit": time}, "data": {"value": value}}


def two_values(_seq: int, machine: int, channel: str, time: str, value: float) -> object:
    meta = {"tag": channel, "zeit": time, "maschine": PLANT[machine]}
    return {"meta": meta, "data": {"value": value}, "wert": {"ist": 2 * value}}


def constant(seq: int, _machine: int, _channel: str, time: str, value: float) -> object:
    return {"meta": {"topic": "plant", "zeit": time, "seq": seq}, "data": {"value": value}}


@pytest.mark.parametrize("make", [two_names, two_values, constant])
def test_what_may_be_another_name_or_another_value_is_not_gone_on_with(make: Any) -> None:  # noqa: ANN401 - as above
    (stop,) = proposal_of(one_by_one(make)).stops

    assert "has several readings at nearly the same time" in stop


def in_lists() -> list[Foreign]:
    records: list[Foreign] = []
    for step in range(STEPS):
        for machine, name in enumerate(PLANT):
            time_ms = START_MS + step * 10_000
            values = [
                {"kanal": channel, "messung": {"ist": number(machine, at, step), "einheit": unit}}
                for at, (channel, unit) in enumerate(CHANNELS.items())
            ]
            document = {"kopf": {"nr": len(records), "zeit": clock(time_ms)}, "anlage": name, "messwerte": values}
            records.append(record(records, time_ms, document))
    return records


def test_a_list_whose_values_are_one_object_deeper_is_one_of_pairs() -> None:
    guess, profile, _ = understand(in_lists())

    assert guess.settings == {
        "sensor": "anlage",
        "time": "kopf.zeit",
        "items": "messwerte",
        "feature": "kanal",
        "value": "messung.ist",
    }
    assert not profile.rejected
    assert set(profile.sensors) == set(PLANT)
    assert set(profile.features) == set(CHANNELS)
    assert profile.readings == STEPS * len(PLANT)


def beside_the_time(seq: int, machine: int, channel: str, time: str, value: float) -> object:
    kind = {"typ": PLANT[machine], "bj": 2012 + machine}
    return {"kopf": {"nr": seq, "anlage": PLANT[machine]}, "daten": kind, "messung": {"zeit": time, channel: {"ist": value}}}


def test_what_stands_beside_the_time_is_read_and_what_numbers_messages_is_left_out() -> None:
    records = [
        record_of
        for machine in range(len(PLANT))
        for step in range(STEPS)
        for time_ms in [START_MS + step * 10_000]
        for message in [step * len(PLANT) + machine]
        for document in [beside_the_time(message, machine, "druck", clock(time_ms), number(machine, 1, step))]
        for record_of in [Foreign(json.dumps(document).encode(), None, offset=message, timestamp=time_ms + 20)]
    ]
    records.sort(key=lambda one: one.offset)

    guess, profile, _ = understand(records)
    proposal = proposal_of(records)

    assert guess.settings["values"] == "."
    assert profile.sensors.keys() == set(PLANT)
    assert {name: one.kind for name, one in profile.features.items() if one.numbers} == {
        "kopf.nr": "counter",
        "daten.bj": "fixed",
        "messung.druck.ist": "",
    }
    assert proposal.settings()["input"]["exclude_features"] == ["daten.typ", "kopf.nr"]
    assert "kopf.nr: numbers the messages, which is no measurement; left out." in proposal.found
    assert "Measurements: messung.druck.ist." in proposal.found
    assert any(line.startswith("daten.bj: differ between sensors, and are constant in each") for line in proposal.found)
    assert not proposal.stops


def test_readings_of_several_machines_in_one_are_said_before_anything_else() -> None:
    def nameless(seq: int, machine: int, channel: str, time: str, value: float) -> object:
        return {"nr": seq, "zeit": time, "a": value, "wo": PLANT[machine], "was": channel}

    proposal = proposal_of(one_by_one(nameless))

    (stop,) = proposal.stops
    assert "has several readings at nearly the same time" in stop
    assert proposal.not_sure()[0] == f"DO NOT RUN YET: {stop}"
    assert proposal.settings()["service"]["unanswered"] == [stop]


def test_a_topic_whose_only_number_is_a_counter_has_nothing_to_watch() -> None:
    def counting(seq: int, machine: int, channel: str, time: str, _: float) -> object:
        return {"seq": seq, "zeit": time, "maschine": f"{PLANT[machine]} {channel}", "bj": 2012 + machine}

    (stop,) = proposal_of(one_by_one(counting)).stops

    assert stop.startswith("no feature seems to measure anything (found: bj, seq).")
