"""What a sample of a topic leads to: settings with which its records are read."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from stream_detector.commands.init_topic import understand
from stream_detector.discovery.guess import guess_input
from stream_detector.discovery.proposal import toml_text
from stream_detector.settings.input_settings import InputSettings
from tests.discovery.records import FEATURES, MACHINES, STEPS, Documents, proposal_of, sample
from tests.ingest.foreign import foreign


def native(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    return [{"sensor_id": machine, "timestamp": time_ms, "values": values}]


def telegraf(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    return [{"name": "press", "tags": {"host": "gateway", "device": machine}, "fields": values, "timestamp": time_ms // 1000}]


def kepware(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    tags = [{"id": f"Line1.{machine}.{name}", "v": value, "q": True, "t": time_ms} for name, value in values.items()]
    return [{"timestamp": time_ms, "values": tags}]


def metrics(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    return [{"tag": f"hall/{machine}/{name}", "value": value, "ts": time_ms} for name, value in values.items()]


def by_asset(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    return [{"machine": machine, "metric": name, "value": value, "ts": time_ms} for name, value in values.items()]


def nested(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    return [{"meta": {"deviceId": machine, "site": "north"}, "time": time_ms, "payload": {"data": {**values, "state": "idle"}}}]


def points(_: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    listed = [{"name": name, "value": value, "unit": "bar", "quality": "GOOD"} for name, value in values.items()]
    clock, state = {"seconds": time_ms // 1000, "unit": "s"}, {"name": "state", "value": "RUN"}
    return [{"meta": {"asset": machine, "gateway": "gw"}, "clock": clock, "points": [*listed, state]}]


def flat(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
    return [{"machine_id": machine, "@timestamp": time_ms, **values, "hours": 1000 + step, "running": 1}]


@pytest.mark.parametrize(
    ("documents", "settings", "sensor"),
    [
        (native, {}, "press-1"),
        (telegraf, {"preset": "telegraf", "sensor": "tags.device"}, "press-1"),
        (kepware, {"preset": "kepware"}, "Line1.press-1"),
        (metrics, {"tag_pattern": "(?P<sensor>.+)/(?P<feature>[^/]+)", "value": "value"}, "hall/press-1"),
        (by_asset, {"sensor": "machine", "feature": "metric"}, "press-1"),
        (points, {"items": "points", "feature": "name", "quality": "quality", "time": "clock.seconds"}, "press-1"),
        (nested, {"sensor": "meta.deviceId", "values": "payload.data"}, "press-1"),
        (flat, {"sensor": "machine_id", "time": "@timestamp", "values": "."}, "press-1"),
    ],
)
def test_the_settings_read_every_record_of_the_sample(documents: Documents, settings: dict[str, str], sensor: str) -> None:
    records = sample(documents)

    guess, profile, _ = understand(records)

    assert guess.settings.items() >= settings.items()
    assert not profile.rejected
    assert len(profile.sensors) == len(MACHINES)
    assert profile.sensors[sensor].features >= set(FEATURES)
    assert profile.interval_seconds == 10


def test_metrics_that_come_one_by_one_are_assembled_in_the_time_of_one_round() -> None:
    for documents, expected in ((metrics, 10.0), (by_asset, 10.0), (native, None), (kepware, None)):
        settings = proposal_of(sample(documents)).settings()

        assert settings["input" if "input" in settings else "kafka"].get("assemble_seconds") == expected


def test_readings_of_a_machine_from_several_partitions_are_re_keyed() -> None:
    assert proposal_of(sample(native, partitions=4)).settings().get("input") is None
    assert proposal_of(sample(native, partitions=4, keyed=False)).settings()["input"] == {"repartition": True}


def test_the_key_is_the_sensor_where_no_field_is() -> None:
    guess, profile, _ = understand(sample(lambda _, time_ms, __, values: [{"ts": time_ms, "a": values["temp"], "b": 2.5}]))

    assert guess.settings["sensor"] == "$key"
    assert profile.sensors.keys() == set(MACHINES)


def test_tags_of_a_machine_are_found_though_each_partition_has_one_feature_of_all() -> None:
    by_partition = sorted(sample(metrics, partitions=3, keyed=False), key=lambda record: record.partition)

    settings = proposal_of(by_partition).settings()["input"]

    assert settings["tag_pattern"] == "(?P<sensor>.+)/(?P<feature>[^/]+)"
    assert settings["assemble_seconds"] == 10
    assert settings["repartition"] is True


def test_counters_constants_and_text_are_named() -> None:
    proposal = proposal_of(sample(flat))

    assert "hours: rise all the time; training takes them for counters." in proposal.found
    assert any(line.startswith("running: do not change") for line in proposal.found)
    assert proposal_of(sample(nested)).settings()["input"]["exclude_features"] == ["state"]


def test_values_that_are_missing_often_are_said() -> None:
    def holed(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
        return [{"machine": machine, "ts": time_ms, **values, "oil": "Bad" if step % 3 else 7.5 + step % 7}]

    found = proposal_of(sample(holed)).found

    assert "oil: 66% of its values are missing, mostly 'Bad'." in found  # 226 of 340 steps
    assert not any(line.startswith("rpm") for line in found)


def test_a_comma_of_two_meanings_is_a_doubt_whether_some_values_have_it_or_all() -> None:
    def commas(step: int, time_ms: int, machine: str, values: dict[str, float]) -> list[object]:
        some = f"{4 + step % 10},{step % 50 + 10}" if step % 2 else f"4,{100 + step % 50}"
        return [{"machine": machine, "ts": time_ms, **values, "some": some, "all": f"4,{100 + step % 50}"}]

    doubts = proposal_of(sample(commas)).doubts

    assert any(doubt.startswith("some: ") and "whose comma may separate thousands or decimals" in doubt for doubt in doubts)
    assert any(doubt.startswith("all: text whose comma may separate thousands or decimals") for doubt in doubts)


@pytest.mark.parametrize(("hours", "budget"), [(1.5, 1.0), (24 * 7, 0.8), (24 * 365, 0.1)])
def test_the_budget_is_what_the_history_can_check_or_one_to_try(hours: float, budget: float) -> None:
    settings = proposal_of(sample(native), hours).settings()

    # 10 false alarms in 30 % of a week of six sensors: 10 / (.3 * 7 * 6) = .79 a day and sensor
    assert settings["alerts"]["budget_per_sensor_day"] == budget


def test_the_file_is_toml_with_a_reason_for_each_setting() -> None:
    proposal = proposal_of(sample(metrics, partitions=4, keyed=False))

    text = toml_text(proposal, "Title.")

    assert tomllib.loads(text) == proposal.settings()
    for entry in proposal.entries:
        assert f"# {entry.name}: {entry.reason}" in text


def test_what_cannot_be_read_is_said() -> None:
    with pytest.raises(ValueError, match="no records with a value"):
        guess_input([])
    with pytest.raises(ValueError, match="10 of 10 records are not JSON"):
        guess_input([foreign(b"\xff\xfe binary") for _ in range(10)])
    with pytest.raises(ValueError, match="no field of the records has numbers; found state"):
        guess_input([foreign({"state": "idle"}) for _ in range(10)])


def test_a_sample_is_read_by_the_file_that_was_written(tmp_path: Path) -> None:
    assert STEPS > 100
    (tmp_path / "detector.toml").write_text(toml_text(proposal_of(sample(telegraf)), "T"))

    assert InputSettings(**tomllib.loads((tmp_path / "detector.toml").read_text())["input"]).sensor == "tags.device"
