"""What `check` says about a model beside a sample of the topic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from stream_detector.checkup.findings import Finding
from stream_detector.checkup.kafka_facts import LogFacts
from stream_detector.checkup.model_findings import (
    ModelFacts,
    feature_findings,
    interval_findings,
    sensor_findings,
    unit_findings,
)
from stream_detector.checkup.sample import Sample, sample_of
from stream_detector.checkup.sample_findings import key_findings, record_findings
from stream_detector.detection.model_spec import ModelSpec
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.ingest.json_decoder import JsonDecoder
from stream_detector.ingest.reading_checks import InputLimits
from stream_detector.ingest.renamed import renamings
from stream_detector.state.idle import OnlyWhile
from stream_detector.state.known_sensors import SensorTable

START_MS = 1_767_225_600_000
FEATURES = ("temperature", "pressure")


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of the input topic."""

    value: bytes
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"pump"
    topic: str = "readings"
    timestamp: int = START_MS + 3_600_000
    headers: Sequence[tuple[str, bytes | None]] = field(default_factory=tuple)


def readings(sensor: str, count: int = 5, step_ms: int = 1000, partition: int = 0, **values: float) -> list[Sent]:
    documents = [{"sensor_id": sensor, "timestamp": START_MS + step_ms * number, "values": values} for number in range(count)]
    return [Sent(json.dumps(one).encode(), partition, number) for number, one in enumerate(documents)]


def sample(records: Sequence[Sent], features: Sequence[str] = FEATURES, only_while: str = "") -> Sample:
    decoded = JsonDecoder(features, InputLimits(ignore_unknown_features=True)).decode(records)
    rejected, state = (
        JsonDecoder(FEATURES, InputLimits()).decode(records).rejected,
        OnlyWhile.parse(only_while, tuple(features)),
    )
    return sample_of(records, features, decoded, rejected, state)


def model(sensors: Sequence[str] = ("pump-1", "pump-2")) -> ModelFacts:
    """A model of sensors that are read once a second, at 55 to 65 °C and 2 to 4 bar."""
    count = len(sensors)
    low, high = (np.tile(np.array(bound, np.float32), (count, 1)) for bound in ((55.0, 2.0), (65.0, 4.0)))
    healthy = replace(HealthyData.none(count, 2), lowest=low, highest=high)
    table = SensorTable(
        {name: row for row, name in enumerate(sensors)},
        np.full((count, 2), 60.0, np.float32),
        np.ones((count, 2), np.float32),
        np.zeros((count, 1)),
        np.ones(count),
        np.full(count, 1000.0, np.float32),
        np.full(count, 1000.0, np.float32),
    )
    return ModelFacts(ModelSpec("tiny", "1", FEATURES, 8, 1.0), table, healthy)


def said(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(one.level, one.text) for one in findings]


USUAL = sample(readings("pump-1", temperature=60.0, pressure=3.0))


def compared(found: Sample, *, ignores_unknown: bool = False) -> list[Finding]:
    of = model()
    return [
        *feature_findings(of, found, ignores_unknown=ignores_unknown),
        *unit_findings(of, found),
        *interval_findings(of, found),
        *sensor_findings(of, found),
    ]


def test_a_topic_as_in_training_has_only_good_findings() -> None:
    assert said(compared(USUAL)) == [
        ("ok", "every feature of the model has values (2)"),
        ("ok", "usual values are where healthy readings had them"),
        ("ok", "a sensor has a reading every 1 s; in training every 1 s"),
        ("ok", "the model knows every sensor of the sample (1)"),
    ]


def test_a_renamed_feature_is_told_by_the_name_that_is_nearest() -> None:
    found = sample(readings("pump-1", Temperature_C=60.0, pressure=3.0), (*FEATURES, "Temperature_C"))

    (finding,) = feature_findings(model(), found, ignores_unknown=False)

    assert finding.level == "error"
    assert "temperature, a feature of the model, has no value in any of 5 readings" in finding.text
    assert "the topic has Temperature_C, which the model does not know: renamed?" in finding.text


def test_each_renamed_feature_has_a_name_of_its_own() -> None:
    assert renamings(["temperature_in", "temperature_out"], ["temp_in", "temp_out", "speed"]) == {
        "temperature_in": "temp_in",
        "temperature_out": "temp_out",
    }
    assert renamings(["pressure"], ["flow"]) == {}


@pytest.mark.parametrize(("ignores", "level"), [(False, "error"), (True, "ok")])
def test_a_feature_that_the_model_does_not_know_is_said_as_the_settings_take_it(ignores: bool, level: str) -> None:
    found = sample(readings("pump-1", temperature=60.0, pressure=3.0, flow=7.0), (*FEATURES, "flow"))

    first = next(feature_findings(model(), found, ignores_unknown=ignores))

    assert first.level == level
    assert "the model does not know flow" in first.text


def test_values_off_by_a_thousand_are_said_with_the_factor() -> None:
    (finding,) = unit_findings(model(), sample(readings("pump-1", temperature=60_000.0, pressure=3.0)))

    assert finding.level == "error"
    assert finding.text.startswith("temperature: the usual value is 60000, and healthy readings had 55 to 65 (1 of 1 sensor)")
    assert "1000 times the model's values" in finding.text


def test_another_pace_is_said() -> None:
    (finding,) = interval_findings(model(), sample(readings("pump-1", step_ms=60_000, temperature=60.0)))

    assert finding.level == "warning"
    assert finding.text.startswith("a sensor has a reading every 60 s, in training every 1 s: a window")


def test_too_few_readings_show_no_pace() -> None:
    (finding,) = interval_findings(model(), sample(readings("pump-1", 2, temperature=60.0)))

    assert finding.level == "warning"


def test_sensors_that_the_model_does_not_know_are_counted_and_named() -> None:
    records = [*readings("pump-1", temperature=60.0), *readings("P-3", temperature=60.0)]

    (some,) = sensor_findings(model(), sample(records))
    (all_,) = sensor_findings(model(), sample(records[5:]))

    assert some.text.startswith("the model does not know 1 of 2 sensors: P-3; it learns them")
    assert all_.text.endswith("It knows pump-1, pump-2: are the names written differently?")


def test_a_model_that_was_trained_without_names_takes_any_sensor() -> None:
    assert list(sensor_findings(model(["sensor"]), USUAL)) == []


def test_a_sensor_in_several_partitions_is_wrong() -> None:
    spread = sample([*readings("pump-1", temperature=60.0), *readings("pump-1", partition=1, temperature=60.0)])

    (finding,) = key_findings(spread, 2, None)

    assert finding.level == "error"
    assert finding.text.startswith("1 sensor of 1 comes from several partitions")
    assert "pump-1 (partitions 0, 1)" in finding.text
    assert "INPUT__REPARTITION=true" in finding.what_to_do[0]
    assert [one.level for one in key_findings(spread, 2, None, repartition=True)] == ["ok"]


def test_records_without_a_key_and_empty_partitions_are_said() -> None:
    unkeyed = sample([Sent(record.value, key=None) for record in readings("pump-1", temperature=60.0)])

    found = list(key_findings(unkeyed, 3, LogFacts(1000, 2)))

    assert [one.level for one in found] == ["warning", "warning"]
    assert "5 of 5 records have no key" in found[0].text
    assert "2 partitions of 3 are empty" in found[1].text


def test_records_that_would_be_dead_letters_are_counted_by_reason_with_an_example() -> None:
    good = readings("pump-1", 8, temperature=60.0)
    bad = [Sent(b"nonsense", 1, 7), Sent(b'{"sensor_id": "pump-1", "values": {"flow": 1}}', 1, 8)]

    few = list(record_findings(sample([*good, *bad]), "readings", 0.5, ignores_unknown=False))
    many = list(record_findings(sample([*good[:1], *bad]), "readings", 0.5, ignores_unknown=False))

    assert [one.level for one in few] == ["warning", "warning"]
    assert few[0].text.startswith("1 of the 10 newest records would become dead letters: not_json, for")
    assert few[1].what_to_do[0].startswith("export STREAM_DETECTOR_INPUT__UNKNOWN_FEATURES=ignore")
    assert [one.level for one in many] == ["error"] * 3
    assert many[2].text == "67 % of the records would become dead letters; run stops at more than 50 %"


def test_an_empty_topic_is_said() -> None:
    (finding,) = record_findings(sample([]), "readings", 0.5, ignores_unknown=False)

    assert finding.text == "readings holds no record yet"


def test_values_of_machines_that_stand_still_are_not_compared() -> None:
    stopped = readings("pump-1", temperature=20.0, pressure=0.0) + readings("pump-2", temperature=20.0)
    running = readings("pump-1", 2, temperature=61.0, pressure=3.0)

    found = sample([*stopped, *running], only_while="pressure > 1")

    np.testing.assert_array_equal(found.medians, [[61.0, 3.0], [np.nan, np.nan]])
    assert found.medians.shape == sample(stopped).medians.shape


def test_records_without_a_feature_of_the_model_are_no_matter_of_a_setting_that_ignores_the_others() -> None:
    strangers = [Sent(b'{"sensor_id": "pump-1", "values": {"flow": 1}}', 1, 8)]

    finding = next(record_findings(sample(strangers), "readings", 0.5, ignores_unknown=True))

    assert not any("UNKNOWN_FEATURES" in text for text in finding.what_to_do)
    assert finding.what_to_do[0] == "send at least one feature under the name that the model has for it"
