"""Metrics in Prometheus' format."""

from __future__ import annotations

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from stream_detector.detection.transition import EVENT_TYPES
from stream_detector.pipeline.step_report import StepReport
from stream_detector.readings import Lost
from stream_detector.service.metrics import METRICS, PREFIX, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[str]], float]:
    """Return the exposed values by name and label values, without the creation times."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_every_metric_is_exposed_with_its_help() -> None:
    families = {family.name: family for family in text_string_to_metric_families(Metrics().exposition().decode())}

    shown = {name: (family.type, family.documentation) for name, family in families.items()}
    created = {name for name in shown if name.endswith("_created")}  # the library's own

    assert {name: shown[name] for name in shown.keys() - created} == {
        PREFIX + metric.name: (metric.kind.value, metric.help) for metric in METRICS
    }


def test_steps_add_up() -> None:
    metrics = Metrics()

    metrics.observe(
        StepReport(records=5, readings=4, late=1, scored=3, committed_batches=1, alerts=Counter({("anomaly", "opened"): 2})),
        0.5,
    )
    metrics.observe(
        StepReport(
            records=2,
            readings=2,
            committed_batches=1,
            alerts=Counter({("anomaly", "opened"): 1, ("anomaly", "closed"): 1, ("frozen", "opened"): 1}),
        ),
        0.25,
    )

    found = samples(metrics)
    assert found["records_total", frozenset()] == 7
    assert found["readings_total", frozenset()] == 6
    assert found["late_readings_total", frozenset()] == 1
    assert found["scored_windows_total", frozenset()] == 3
    assert found["batches_total", frozenset()] == 2
    assert found["alerts_total", frozenset({"anomaly", "opened"})] == 3
    assert found["alerts_total", frozenset({"frozen", "opened"})] == 1
    assert found["alerts_total", frozenset({"anomaly", "closed"})] == 1
    assert found["step_seconds_total", frozenset()] == 0.75


def test_every_count_of_a_step_reaches_its_metric() -> None:
    metrics = Metrics()

    metrics.observe(
        StepReport(
            dead_letters=Counter(not_json=2),
            tombstones=9,
            lost_values=Counter({Lost("a", "x", "says_missing", "Bad"): 3, Lost("b", "x", "says_missing", "Bad"): 1}),
            restores=Counter(replay=1),
            restarted_windows=3,
            failed_commits=4,
            replayed=5,
            lost_readings=6,
            rewritten_partitions=7,
            store_errors=8,
            newest_time_ms=1500,
            sensor_days=0.25,
        ),
        0.0,
    )

    found = samples(metrics)
    assert found["dead_letters_total", frozenset({"not_json"})] == 2
    assert found["tombstones_total", frozenset()] == 9
    assert found["unusable_values_total", frozenset({"x", "says_missing"})] == 4
    assert found["restored_partitions_total", frozenset({"replay"})] == 1
    assert found["restarted_windows_total", frozenset()] == 3
    assert found["failed_commits_total", frozenset()] == 4
    assert found["replayed_records_total", frozenset()] == 5
    assert found["lost_readings_total", frozenset()] == 6
    assert found["rewritten_partitions_total", frozenset()] == 7
    assert found["store_errors_total", frozenset()] == 8
    assert found["newest_reading_timestamp_seconds", frozenset()] == 1.5
    assert found["sensor_days_total", frozenset()] == 0.25


def test_steps_without_work_count_no_time() -> None:
    metrics = Metrics()

    metrics.observe(StepReport(), 0.5)

    assert samples(metrics)["step_seconds_total", frozenset()] == 0


def test_a_step_without_readings_leaves_the_newest_time() -> None:
    metrics = Metrics()

    metrics.observe(StepReport(newest_time_ms=2000), 0.0)
    metrics.observe(StepReport(), 0.0)

    assert samples(metrics)["newest_reading_timestamp_seconds", frozenset()] == 2


def test_gauges_show_the_present() -> None:
    metrics = Metrics()

    metrics.set("sensors", 3, "warming")
    metrics.set("sensors", 1, "warming")
    metrics.set("model", 1, "pump", "v7")

    found = samples(metrics)
    assert found["sensors", frozenset({"warming"})] == 1
    assert found["model", frozenset({"pump", "v7"})] == 1


def test_a_label_known_beforehand_is_shown_before_the_first_count() -> None:
    """An increase is the difference of two values: without the zero the first incident would not be one."""
    metrics = Metrics()
    before = samples(metrics)

    metrics.count("reloads", "ok")

    statuses = [(of_type, status) for of_type in EVENT_TYPES for status in ("opened", "updated", "closed")]
    assert [before["alerts_total", frozenset(labels)] for labels in statuses] == [0] * 3 * len(EVENT_TYPES)
    assert (before["reloads_total", frozenset({"ok"})], samples(metrics)["reloads_total", frozenset({"ok"})]) == (0, 1)


def test_only_the_rules_in_force_are_shown() -> None:
    metrics = Metrics()

    metrics.set_only("rules", 1, "old")
    metrics.set_only("rules", 1, "new")

    assert {key: value for key, value in samples(metrics).items() if key[0] == "rules"} == {("rules", frozenset({"new"})): 1}


def test_two_services_in_one_process_do_not_share_metrics() -> None:
    first, second = Metrics(), Metrics()

    first.observe(StepReport(records=1), 0.0)

    assert samples(second)["records_total", frozenset()] == 0
