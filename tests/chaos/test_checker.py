"""The campaign's checker finds every kind of difference; a checker that finds nothing would call any run clean."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stream_detector.ingest.dead_letters import dead_letter
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from tests.chaos.checker import (
    Findings,
    Leniency,
    check_limits_moved,
    compare_alerts,
    compare_dead_letters,
    expected_events,
    longest_stall_seconds,
)
from tests.chaos.feed import records_of
from tests.fakes.memory_log import MemoryRecord as Record
from tests.integration.plants import EVERY
from tests.pipeline.replica_config import START_MS

NOW_MS = START_MS + 10**9
Change = Callable[[list[Record]], None]


def records(seconds: range, partition: int = 0) -> list[Record]:
    """Return the records of a partition, one millisecond apart."""
    made = [pair for second in seconds for pair in records_of(partition, second, 3)]
    return [
        Record("readings", partition, offset, NOW_MS + offset, key.encode(), value, ())
        for offset, (key, value) in enumerate(made)
    ]


def published(inputs: list[Record]) -> list[Record]:
    """Return the alerts of a crash-free run."""
    events = expected_events(inputs, "every", [])
    return [
        Record("alerts", 0, at, NOW_MS + 4000 + at, event.key, event.value, event.headers) for at, event in enumerate(events)
    ]


def edited(record: Record, change: Callable[[dict[str, Any]], object]) -> Record:
    """Return an event with a change to its body."""
    event = json.loads(record.value or b"")
    change(event)
    return replace(record, value=json.dumps(event).encode())


def findings(change: Change, leniency: Leniency | None = None) -> dict[str, int]:
    """Return the checker's findings for changed alerts."""
    inputs = records(range(12))
    found = published(inputs)
    change(found)
    result = Findings()
    compare_alerts(expected_events(inputs, "every", found), found, leniency or Leniency(), result)
    return {name: count for name in Findings.__dataclass_fields__ if (count := getattr(result, name)) and name != "examples"}


def set_expected(event: dict[str, Any]) -> None:
    next(feature for feature in event["features"] if feature["name"] == "a")["expected"] = 0.123


def test_the_events_of_a_crash_free_run_differ_in_nothing() -> None:
    assert findings(lambda _: None) == {}
    assert len(published(records(range(12)))) > 20


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda found: found.pop(7), {"missing": 1}),
        (lambda found: found.insert(9, found[8]), {"doubled": 1}),
        (lambda found: found.__setitem__(5, edited(found[5], lambda event: event.update(score=9.0))), {"wrong_score": 1}),
        (lambda found: found.__setitem__(5, edited(found[5], set_expected)), {"wrong_window": 1}),
        (
            lambda found: found.__setitem__(5, edited(found[5], lambda event: event["window"].update(length=2))),
            {"wrong_window": 1},
        ),
        (
            lambda found: found.__setitem__(
                5, edited(found[5], lambda event: event["window"].update(start=event["window"]["end"]))
            ),
            {"wrong_window": 1},
        ),
        (
            lambda found: found.__setitem__(5, edited(found[5], lambda event: event.update(status="opened"))),
            {"wrong_incident": 1},
        ),
        (
            lambda found: found.append(edited(found[-1], lambda event: event["window"].update(last_offset=9999))),
            {"unexpected": 1},
        ),
    ],
)
def test_each_kind_of_difference_is_found(change: Change, expected: dict[str, int]) -> None:
    assert findings(change) == expected


def test_a_sensors_events_in_another_order_are_found() -> None:
    def swap(found: list[Record]) -> None:
        first, second = [at for at, one in enumerate(found) if one.key == b"pump-0-0"][:2]
        found[first], found[second] = found[second], found[first]

    assert findings(swap) == {"out_of_order": 1}


def test_where_levels_may_differ_windows_may_not() -> None:
    lenient = Leniency(levels=True)

    assert findings(lambda found: found.__setitem__(5, edited(found[5], lambda event: event.update(score=9.0))), lenient) == {}
    assert findings(lambda found: found.__setitem__(5, edited(found[5], set_expected)), lenient) == {"wrong_window": 1}


def test_a_run_in_which_no_limit_moved_is_found() -> None:
    found = published(records(range(12)))
    moved = edited(found[3], lambda event: event.update(margin_factor=1.15))
    still, some = Findings(), Findings()

    check_limits_moved(found, still)
    check_limits_moved([*found, moved], some)

    assert (still.missing, some.missing) == (1, 0)


def test_the_limits_of_the_plant_some_move_up_and_down_while_scales_settle_and_after() -> None:
    events = [json.loads(event.value or b"") for event in expected_events(records(range(200)), "some", [])]

    factors = [event["margin_factor"] for event in events]

    assert min(factors) < 1.0 < max(factors)
    assert {event["sensor_state"] for event in events} == {"provisional", "ready"}


def test_missing_and_doubled_dead_letters_are_found() -> None:
    inputs = records(range(20))
    decoder = JsonDecoder(EVERY.model.features, InputLimits())
    rejected = decoder.decode(inputs).rejected
    letters = [dead_letter(one, "dead", 1000) for one in rejected]
    found = [Record("dead", 0, at, 0, one.key, one.value, one.headers) for at, one in enumerate(letters)]
    result = Findings()

    compare_dead_letters(inputs, EVERY.decoder(), [found[0], found[0]], result)

    assert len(found) == 2
    assert (result.dead_letters_missing, result.dead_letters_doubled) == (1, 1)


def test_a_switch_of_the_model_is_followed_where_it_happened() -> None:
    inputs = records(range(12))
    found = published(inputs)
    at = len(found) // 2
    found[at:] = [edited(one, lambda event: event["model"].update(version="v2")) for one in found[at:]]

    events = [json.loads(event.value or b"") for event in expected_events(inputs, "every", found)]

    assert [event["model"]["version"] for event in events] == ["v1"] * at + ["v2"] * (len(found) - at)
    assert [event["window"] for event in events] == [json.loads(one.value or b"")["window"] for one in found]


def test_a_stall_is_the_longest_time_in_which_something_waited_to_be_published() -> None:
    inputs = records(range(12))
    found = published(inputs)
    before = longest_stall_seconds(inputs, found)
    found[10:] = [replace(one, timestamp=one.timestamp + 7000) for one in found[10:]]

    assert longest_stall_seconds(inputs, found) == pytest.approx(7.001)
    assert before < 5.0
