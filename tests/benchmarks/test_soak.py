"""A short soak: it samples the process, accounts for every record, and tells a leak from noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.soak import parse, report
from tests.benchmarks.soak_fleet import BAD_EVERY, BAD_KEY, Fleet
from tests.benchmarks.soak_run import Soak, run_soak
from tests.benchmarks.soak_verdict import Sample, growth, judge, table, trend

RATE = 500.0
STEADY = Sample(0.0, 600.0, 250.0, 23, 12, 0.0, 80, 3.0, 4096, 40)


def an_hour(slopes_per_hour: Mapping[str, float], seed: int = 0) -> list[Sample]:
    """Return samples every five seconds with the noise that a healthy service has, and with these slopes."""
    noise = np.random.default_rng(seed)
    samples = []
    for at_seconds in np.arange(0.0, 3600.0, 5.0):
        wobble = {"rss_mb": noise.normal(0, 0.3), "lag": 40 * noise.random()}
        leaks = {name: slope * at_seconds / 3600 for name, slope in slopes_per_hour.items()}
        moved = {name: getattr(STEADY, name) + wobble.get(name, 0.0) + leaks.get(name, 0.0) for name in {*wobble, *leaks}}
        samples.append(replace(STEADY, at_seconds=float(at_seconds), **moved))
    return samples


def missed(samples: list[Sample]) -> list[str]:
    return [finding.name for finding in judge(samples, 600.0, RATE) if finding.is_missed]


def test_a_healthy_hour_meets_all_goals() -> None:
    assert [missed(an_hour({}, seed)) for seed in range(5)] == [[]] * 5


@pytest.mark.parametrize(("name", "slope"), [("rss_mb", 1.5), ("descriptors", 4.0), ("threads", 2.0), ("lag", 200.0)])
def test_a_leak_is_found_and_named(name: str, slope: float) -> None:
    assert missed(an_hour({name: slope})) == [name]


def test_what_grew_in_the_warm_up_does_not_count() -> None:
    samples = [replace(one, rss_mb=300.0) if one.at_seconds < 600 else one for one in an_hour({})]

    assert missed(samples) == []


def test_a_trend_is_the_slope_of_the_line_with_its_error() -> None:
    seconds = np.arange(0.0, 3600.0, 10.0)
    noise = np.random.default_rng(1).normal(0.0, 1.0, len(seconds))

    exact, noisy = trend(seconds, 5 + seconds / 1800), trend(seconds, noise + seconds / 1800)

    assert exact.per_hour == pytest.approx(2.0)
    assert noisy.error == pytest.approx(1 / np.sqrt(len(seconds) / 12), rel=0.15)  # of a uniform spread over one hour
    assert abs(noisy.per_hour - 2.0) < 3 * noisy.error


def test_samples_that_follow_each_other_count_for_fewer() -> None:
    seconds = np.arange(0.0, 3600.0, 10.0)
    steps = np.random.default_rng(2).normal(0.0, 1.0, len(seconds))
    wandering = np.convolve(steps, 0.9 ** np.arange(60))[: len(seconds)]

    assert trend(seconds, wandering).error > 2.5 * trend(seconds, np.random.default_rng(3).permutation(wandering)).error


def test_growth_compares_the_last_quarter_with_the_first() -> None:
    assert growth(np.array([3.0, 3, 3, 9, 9, 3, 3, 3])) == 0
    assert growth(np.array([3.0, 3, 3, 3, 4, 4, 4, 4])) == 1


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="three samples"):
        judge(an_hour({}), 3599.0, RATE)


def test_the_warm_up_must_leave_something_to_judge(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--minutes", "5", "--warm-up", "5"])
    assert "--warm-up must be shorter" in capsys.readouterr().err


def test_the_fleet_gives_what_is_due_once() -> None:
    fleet = Fleet(residents=10, readings_per_second=100.0, start_ms=1_000_000)

    sent = [one for now_ms in range(1_000_000, 1_030_000, 70) for one in fleet.due(now_ms)]

    readings = [(one.key, one.time_ms) for one in sent if one.key != BAD_KEY]
    assert len(set(readings)) == len(readings)
    assert sum(key.startswith(b"pump-") for key, _ in readings) == 3000
    assert len(sent) - len(readings) == len(readings) // BAD_EVERY > 0


def test_a_short_soak_samples_the_service_and_accounts_for_every_record(
    kafka_brokers: str, redis_url: str, tiny_model_directory: Path, tmp_path: Path
) -> None:
    soak = Soak(8.0, 0.0, readings_per_second=200.0, residents=200, backlog_seconds=20, sample_seconds=0.5)

    seen = run_soak(soak, kafka_brokers, redis_url, tiny_model_directory, tmp_path)

    assert seen.exit_code == 0
    assert seen.counted["records_total"] == seen.sent
    assert seen.counted["readings_total"] == seen.sent - seen.sent_bad
    assert seen.counted["late_readings_total"] == 0
    assert seen.sent_bad > 0
    assert seen.capacity > 0
    assert seen.statuses["opened"] > 0
    assert len(seen.samples) >= 3
    for sample in seen.samples:
        assert sample.rss_mb > sample.anonymous_mb > 50
        assert sample.descriptors > 5
        assert sample.threads > 2
        assert 0 <= sample.lag <= seen.sent
    assert seen.samples[-1].sensors >= 200  # the service counts them every five seconds
    findings = judge(seen.samples, soak.warm_up_seconds, seen.readings_per_second)
    assert table(findings).count("\n") == len(findings) == len(report(seen, soak, findings)["findings"])
