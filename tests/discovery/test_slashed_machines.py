"""Machines whose names look like a unit of measurement: with a slash, or of one letter."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from stream_detector.discovery.naming import listed
from stream_detector.discovery.usual_names import MEASURED_IN
from tests.discovery.records import proposal_of, value_of
from tests.ingest.foreign import Foreign

START_MS = 1_796_029_200_000
TAGS = ("Druck", "Durchfluss", "Temperatur", "Strom")

Shape = Callable[[str, str, str, float], object]


def of_machines(names: list[str], shape: Shape, steps: int = 30) -> list[Foreign]:
    """Return a message of each tag of each machine every ten seconds, without a key."""
    records: list[Foreign] = []
    for step in range(steps):
        for machine, name in enumerate(names):
            for tag, text in enumerate(TAGS):
                at = START_MS + step * 10_000 + 40 * machine + 7 * tag
                document = shape(f"2026-11-30T09:{step // 6:02d}:{step % 6 * 10:02d}.{at % 1000:03d}Z", name, text, 0.0)
                assert isinstance(document, dict)
                filled = json.loads(json.dumps(document).replace("0.0", str(value_of(machine, tag, step))))
                records.append(Foreign(json.dumps(filled).encode(), None, offset=len(records), timestamp=at))
    return records


SHAPES: dict[str, Shape] = {
    "asset, tag and value in objects": lambda ts, name, tag, value: {
        "ts": ts, "asset": name, "meta": {"tag": tag}, "data": {"value": value, "q": 192}
    },
    "without a quality": lambda ts, name, tag, value: {"ts": ts, "asset": name, "meta": {"tag": tag}, "data": {"value": value}},
    "tag in an object": lambda ts, name, tag, value: {"ts": ts, "asset": name, "meta": {"tag": tag}, "value": value},
    "machine": lambda ts, name, tag, value: {
        "ts": ts, "machine": name, "meta": {"tag": tag}, "data": {"value": value, "q": 192}
    },
    "flat": lambda ts, name, tag, value: {"ts": ts, "asset": name, "tag": tag, "value": value},
    "a source": lambda ts, name, tag, value: {"ts": ts, "source": name, "tag": tag, "value": value},
    "the name of an object": lambda ts, name, tag, value: {"ts": ts, "machine": {"name": name}, "tag": tag, "value": value},
    "a unit of a plant": lambda ts, name, tag, value: {"ts": ts, "unit": name, "tag": tag, "value": value},
    "the key of a machine beside a unit": lambda ts, name, tag, value: {
        "ts": ts, "asset_id": name, "unit": "m3/h", "tag": tag, "value": value
    },
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("sign", ["/", "."])
def test_a_machine_is_named_by_its_field_whatever_sign_is_in_its_name(shape: Shape, sign: str) -> None:
    names = [f"brewery{sign}p{number}" for number in range(1, 4)]

    proposal = proposal_of(of_machines(names, shape))

    assert not proposal.stops
    assert f"3 sensors: {', '.join(names)}." in proposal.found
    assert f"Measurements: {', '.join(sorted(TAGS))}." in proposal.found


@pytest.mark.parametrize("names", [["A", "C", "V"], ["hall/m2", "hall/m3"], ["m", "s", "h"]])
def test_a_field_that_is_called_asset_holds_no_units(names: list[str]) -> None:
    assert proposal_of(of_machines(names, SHAPES["flat"])).settings()["input"]["sensor"] == "asset"


def test_a_field_that_is_called_unit_names_no_machine_if_it_holds_units() -> None:
    def shape(ts: str, name: str, tag: str, value: float) -> object:
        return {"ts": ts, "station": name, "tag": tag, "value": value, "unit": "m³/h"}

    assert proposal_of(of_machines(["hall/1", "hall/2"], shape)).settings()["input"]["sensor"] == "station"


UNITS = "bar mbar 1/min m³/h m3/h °C mm/s kg/h l/min kWh/t W/m²K W/(m²K) Stk/h U/min m/s² kg/m3 mm °C/min % %/h kPa A"


def test_units_are_told() -> None:
    assert [unit for unit in UNITS.split() if not MEASURED_IN.fullmatch(unit)] == []


@pytest.mark.parametrize("name", ["brewery/p3", "hall/m2", "l1/m3", "werk/a", "site/line/press", "p/1", "1", "m/" + "m" * 190])
def test_names_are_no_units(name: str) -> None:
    assert not MEASURED_IN.fullmatch(name)


def test_where_a_sensor_mixes_machines_the_fields_that_may_name_one_are_listed() -> None:
    def shape(ts: str, name: str, tag: str, value: float) -> object:
        return {"ts": ts, "wo": name, "tag": tag, "value": value}

    names = [f"brewery/p{number}" for number in range(1, 6)]

    (stop,) = proposal_of(of_machines(names, shape)).stops

    assert (
        "fields with texts that repeat, of which no setting was made: wo (brewery/p1, brewery/p2, brewery/p3 and 2 more)"
        in stop
    )


def test_a_list_that_is_cut_says_how_many_more_there_are() -> None:
    assert listed(["a", "b", "c", "d", "e"], 3) == "a, b, c and 2 more"
    assert listed(["a", "b"], 2) == "a, b"
    assert listed((), 2) == ""
