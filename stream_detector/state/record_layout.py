"""The layout of a sensor's record: a header, running moments, a ring of the newest T rows and the rules' state, of fixed size.

The rules' state comes last, because most sensors have none: the arena keeps it apart (rule_states.py), the store may lack it.
The ring holds raw values, and the rises of counters, so a new model with the same features, counters and window length
continues with the same windows.
`assemble` in assembling.py, `append` in windows.py, `learn_pace` in pace.py, `learn` in running_scale.py, `decide` in
detection/decision.py and the rules in detection/rules/ change records. codec/ defines their stored form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream_detector.readings import Int64Array
from stream_detector.state.bucket_state import Assembly, bucket_dtype, clear_buckets
from stream_detector.state.counters import COUNTER, clear_counters

LAYOUT_VERSION = 9
#: A record has room for so many members' levels, whatever the number of members: training may leave some out.
MEMBER_SLOTS = 8
#: An incident's offset when no incident is open.
NO_INCIDENT = -1
#: The offset of a sensor's newest reading when it has none.
NO_OFFSET = -1
#: The time between two rows has 16 bits: a count of this many bits, in units of a power of two milliseconds.
_COUNT_BITS = 11

Records = NDArray[np.void]
UInt16Array = NDArray[np.uint16]

_HEADER = (
    ("last_time_ms", "<i8"),  # event time of the newest accepted reading; first, because the store compares it
    ("incident_offset", "<i8"),  # detection/decision.py: offset of the reading that opened the incident, or NO_INCIDENT
    ("incident_time_ms", "<i8"),
    ("incident_peak", "<f8"),
    ("last_anomalous_ms", "<i8"),
    ("last_update_ms", "<i8"),
    ("last_offset", "<i8"),  # heard.py: offset of the newest accepted reading; negative: none yet
    ("heard", "<u4"),  # heard.py: when that was, in seconds of the partition's active time
    ("count", "<u4"),  # accepted readings since the sensor was first seen
    ("filled", "<i4"),  # rows of the current window, at most T; a gap restarts it
    ("model", "<u4"),  # tag of the model that the fields below came from
    ("level_count", "<f4"),  # detection/decision.py: readings behind the levels
    ("memory", "<f4"),  # slow running mean of the surprise
    ("sustained", "<f4"),  # detection/sustained.py: running mean of the surprise above the typical one
    ("accepted", "<f4"),  # surprise that was accepted as normal
    ("interval_ms", "<f4"),  # pace.py: usual time between the sensor's readings; 0 before it is admitted
    ("pause_ms", "<f4"),  # pace.py: its usual longest pause, at least the interval
    ("block_ms", "<u4"),  # pace.py: sum of the steps of the block so far, without gaps
    ("block_longest_ms", "<u4"),
    ("block_steps", "u1"),
    ("block_gaps", "u1"),
    ("block_live", "u1"),  # pace.py: steps of the block whose records came as far apart
    ("is_live", "u1"),  # pace.py: the records of the block before came as its readings say
    ("stamp_ms", "<i8"),  # time of the newest accepted reading's record; -1: it had none
    ("late_time_ms", "<i8"),  # lateness.py: event time of the newest late reading since the last in time
    ("late_stamp_ms", "<i8"),  # lateness.py: time of its record
    ("late_run", "<u2"),  # lateness.py: orderly late readings
    ("late_live", "<u2"),  # lateness.py: those whose records came as far apart
    ("clock_ms", "<i8"),  # pace.py: how far the sensor's clock is ahead of what it was before it jumped
    ("balance", "<f8"),  # detection/governor.py: incidents less those that the budget allowed
    ("incident_ratio", "<f4"),  # detection/decision.py: the incident's largest ratio of score to threshold
)
#: Header fields that keep their initial values for most sensors.
INCIDENT = (
    *("incident_offset", "incident_time_ms", "incident_peak", "last_anomalous_ms", "last_update_ms", "accepted"),
    *("late_time_ms", "late_stamp_ms", "late_run", "late_live", "clock_ms", "incident_ratio"),
)
#: Running moments of one feature, for a sensor that the model does not know; see running_scale.py.
_MOMENTS = np.dtype(
    [
        *(("mean", "<f8"), ("squares", "<f8"), ("count", "<u2")),
        *(("earlier_mean", "<f4"), ("earlier_deviation", "<f4")),  # settling.py: when the count last was at a checkpoint
    ]
)

#: The types of incidents that a record holds (detection/rules/), at most one of each in a sensor.
KEPT_TYPES = ("frozen", "missing_feature", "out_of_range", "clock", "flapping")
#: The types of the incidents that rules open. A silence needs no room: the header says when the sensor was last heard.
RULE_TYPES = (*KEPT_TYPES, "silent")
_RULE_INCIDENT = np.dtype(
    [
        ("offset", "<i8"),  # of the reading that opened the incident, or NO_INCIDENT
        ("time_ms", "<i8"),  # event time of that reading
        ("calm", "<u2"),  # readings since the rule last applied
    ]
)
_INCIDENTS = np.dtype([(name, _RULE_INCIDENT) for name in KEPT_TYPES])
#: Bits of a feature beside those of incidents (rules/unlearned.py): it changed often before its run of repeats began, or that
#: of the whole reading, or had values before they were missing.
INCIDENT_BITS, FOUND_STILL, FOUND_GONE, FOUND_ROW = (np.uint8(bits) for bits in (0b11111, 1 << 5, 1 << 6, 1 << 7))
#: The largest count of readings that rules keep.
MAXIMUM_RUN = (1 << 16) - 1
_WORD = 8
#: In the name of a layout, before the bucket of assembled readings.
_ASSEMBLED = ":assembled by "


def rules_dtype(features: int) -> np.dtype[np.void]:
    """Return the layout of a sensor's state of the rules, a whole number of words: all that most sensors have none of."""
    fields = [
        ("incidents", _INCIDENTS),
        ("absent", "<u2", (features,)),  # rules/runs.py: readings without a value, since the last with one
        ("longest", "<u2", (features,)),  # rules/runs.py: longest run of repeats that ended, of a sensor unknown to the model
        ("longest_absent", "<u2", (features,)),  # rules/unlearned.py: the same without a value, while there is no model
        ("turns", "<u2", (features,)),  # rules/turns.py: steps back and forth in a row; odd if the last one went up
        ("since", "u1", (features,)),  # rules/turns.py: readings since the last of them
        ("involved", "u1", (features,)),  # bit i: the open incident of type i is about this feature too; and the bits above
    ]
    size = np.dtype(fields).itemsize
    return np.dtype([*fields, ("padding", "u1", (-size % _WORD,))])


def record_dtype(
    window_length: int, features: int, members: int, counters: int = 0, *, assembles: bool = False
) -> np.dtype[np.void]:
    """Return the layout of one sensor's record: first the parts of fixed size, then the ring of rows, then the rules' state.

    Where readings are not assembled, the pending bucket takes no bytes.
    """
    shift = ("shift", "<f4", (member_slots(members),))  # detection/decision.py: drift of the members' levels, then zeros
    header = np.dtype([*_HEADER, shift])
    row = np.dtype([("values", "<f4", (features,)), ("step", "<u2")])  # time since the row before; 0 if there is none
    of_features = [("moments", _MOMENTS, (features,)), ("counters", COUNTER, (counters,))]
    unchanged = ("unchanged", "<u2", (features,))  # rules/runs.py: readings that repeated the value before, at most MAXIMUM_RUN
    assembly = ("assembly", bucket_dtype(features), (int(assembles),))
    rows = ("rows", row, (window_length,))
    return np.dtype([("header", header), *of_features, unchanged, assembly, rows, ("rules", rules_dtype(features))])


def without_rules(record: np.dtype[np.void]) -> np.dtype[np.void]:
    """Return the layout of a record without its last part, the rules' state."""
    fields = record.fields
    assert fields is not None
    return np.dtype([(name, fields[name][0]) for name in fields if name != "rules"])


def member_slots(members: int) -> int:
    """Return how many levels a record has room for: the next multiple of MEMBER_SLOTS."""
    return -(-members // MEMBER_SLOTS) * MEMBER_SLOTS


def step_codes(previous_ms: Int64Array, time_ms: Int64Array) -> UInt16Array:
    """Return the times between rows [N] in 16 bits: exact below 2 s, else to within a 1024th. Any two times can be apart.

    The codes of consecutive rows at an even pace add up without error, because both times are rounded in the same unit.
    """
    bits = np.frexp(np.maximum(time_ms - previous_ms, 0).astype(np.float64))[1].astype(np.int64)
    exponent = np.maximum(bits - _COUNT_BITS, 0)
    count = (time_ms >> exponent) - (previous_ms >> exponent)
    exponent += count >> _COUNT_BITS > 0  # rounding has reached the next power of two
    count = np.where(time_ms > previous_ms, (time_ms >> exponent) - (previous_ms >> exponent), 0)
    return np.asarray((exponent << _COUNT_BITS) + count).astype(np.uint16)


def steps_of(codes: UInt16Array) -> Int64Array:
    """Return the milliseconds that codes stand for."""
    whole = codes.astype(np.int64)
    return np.asarray((whole & ((1 << _COUNT_BITS) - 1)) << (whole >> _COUNT_BITS))


def layout_name(
    window_length: int,
    features: tuple[str, ...],
    members: int,
    counters: tuple[str, ...] = (),
    assembly: Assembly | None = None,
) -> str:
    """Name the layout and the meaning of its columns; state stored under another name cannot be used.

    Models of other members have the same name, so that they go on with the same windows: levels start over with each model.
    """
    rising = f":rise of {','.join(counters)}" if counters else ""
    assembled = f"{_ASSEMBLED}{assembly.bucket_ms} ms" if assembly else ""
    return f"{LAYOUT_VERSION}:{window_length}:{member_slots(members)}:{','.join(features)}{rising}{assembled}"


@dataclass(frozen=True, slots=True)
class WindowShape:
    """What windows hold."""

    features: tuple[str, ...]
    window_length: int  # T, in readings
    counters: tuple[str, ...] = ()  # features of which windows hold how fast they rise


def shape_of_layout(name: str) -> WindowShape | None:
    """Return the windows that `layout_name` named so; None for those of another version of the layout."""
    version, _, rest = name.partition(":")
    length, _, rest = rest.partition(":")
    names, _, rising = rest.partition(":")[2].partition(_ASSEMBLED)[0].partition(":rise of ")
    if version != str(LAYOUT_VERSION) or not length.isdigit() or not names:
        return None
    return WindowShape(tuple(names.split(",")), int(length), tuple(rising.split(",")) if rising else ())


def slots_of_layout(name: str) -> int:
    """Return for how many members' levels the records of a layout have room; MEMBER_SLOTS if its name does not say."""
    slots = name.split(":")[2:3]
    return int(slots[0]) if slots and slots[0].isdigit() else MEMBER_SLOTS


def is_assembled_layout(name: str) -> bool:
    """Return whether the records of a layout have a pending bucket."""
    return _ASSEMBLED in name


def new_records(
    count: int, window_length: int, features: int, members: int, counters: int = 0, *, assembles: bool = False
) -> Records:
    """Return records of sensors that were never seen."""
    records = np.zeros(count, record_dtype(window_length, features, members, counters, assembles=assembles))
    records["header"]["last_time_ms"] = -1
    records["header"]["incident_offset"] = NO_INCIDENT
    records["header"]["last_offset"] = NO_OFFSET
    records["header"]["stamp_ms"] = -1
    clear_counters(records["counters"])
    clear_buckets(records["assembly"])
    records["rules"] = no_rules(features)
    return records


def no_rules(features: int) -> Records:
    """Return the state of the rules of a sensor in which they have found nothing, as a record."""
    state = np.zeros(1, rules_dtype(features))
    for name in KEPT_TYPES:
        state["incidents"][name]["offset"] = NO_INCIDENT
    return state


def raw(records: Records) -> Records:
    """Return a view of records as bytes: NumPy copies structured records field by field, which is many times slower."""
    return records.view(np.dtype((np.void, records.dtype.itemsize)))
