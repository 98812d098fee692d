from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stream_detector.settings.schema import Settings
from tests.judge.cases import CaseRef, read_series
from tests.judge.product import keep
from tests.judge.results import Result, code_version, load, missing, other_versions, save
from tests.judge.runner import CASES_PER_PROCESS, ONE_THREAD, Plan, judge_case, processes, run, run_all
from tests.judge.samples import alarms, result, sensor, series_file


def refs(*names: str) -> list[CaseRef]:
    return [CaseRef("A", name, read_series, cost=float(number)) for number, name in enumerate(names)]


def test_only_what_has_no_result_is_missing_and_the_longest_comes_first(tmp_path: Path) -> None:
    one, two, three = refs("1", "2", "3")
    save(tmp_path, two, result("A", "2", sensor(0.5, 0.4, alarms([True]))))

    assert [ref.name for ref in missing(tmp_path, [one, two, three])] == ["3", "1"]
    assert [found["name"] for found in load(tmp_path, [one, two])] == ["2"]


def test_an_error_is_kept_and_tried_again(tmp_path: Path) -> None:
    (one,) = refs("1")
    save(tmp_path, one, result("A", "1", error="too few readings"))

    assert missing(tmp_path, [one]) == [one]
    assert load(tmp_path)[0]["error"] == "too few readings"


def test_a_result_of_another_format_is_not_read(tmp_path: Path) -> None:
    (one,) = refs("1")
    save(tmp_path, one, result("A", "1") | {"format": 0})

    assert missing(tmp_path, [one]) == [one]


def test_a_run_judges_each_case_and_says_so(tmp_path: Path) -> None:
    said: list[str] = []

    def judge(ref: CaseRef, plan: Plan) -> Result:
        found = result(ref.family, ref.name, sensor(0.5, 0.4, alarms([True], false=2)))
        save(plan.directory, ref, found)
        return found

    with ThreadPoolExecutor(1) as pool:
        run(refs("1", "2"), Plan(tmp_path, "v1"), judge, pool, said.append)

    assert sorted(said) == [f"{n}/2 A {n}: VUS-PR 0.500, 2 false incidents, 2 s" for n in (1, 2)]
    assert missing(tmp_path, refs("1", "2")) == []


def quickly(ref: CaseRef, _plan: Plan) -> Result:
    """Judge nothing, in another process."""
    return result(ref.family, f"{ref.name} by {os.getpid()}", sensor(0.5, 0.4, alarms([True])))


@pytest.mark.timeout(120)
def test_more_cases_than_a_process_may_judge_are_all_judged_by_further_processes(tmp_path: Path) -> None:
    """A pool that replaced its processes stopped for ever after 16 of 19 cases."""
    said: list[str] = []
    count = 2 * CASES_PER_PROCESS + 1

    assert run_all(refs(*map(str, range(count))), Plan(tmp_path, "v1"), quickly, 1, said.append) == 0

    judged_by = Counter(line.split(" by ")[1].split(":")[0] for line in said)
    assert sorted(judged_by.values()) == [1, CASES_PER_PROCESS, CASES_PER_PROCESS]
    assert [line.split()[0] for line in said] == [f"{number}/{count}" for number in range(1, count + 1)]


def test_a_process_that_judges_has_one_thread_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ONE_THREAD:
        monkeypatch.setenv(name, "2")

    with processes(1) as pool:
        found = list(pool.map(os.getenv, ONE_THREAD))

    assert found == ["1"] * len(ONE_THREAD)


def test_a_defect_in_one_case_does_not_stop_the_others_and_is_said(tmp_path: Path) -> None:
    said: list[str] = []

    def judge(ref: CaseRef, _plan: Plan) -> Result:
        if ref.name == "1":
            raise ValueError("no such member")
        return result(ref.family, ref.name, sensor(0.5, 0.4, alarms([True])))

    with ThreadPoolExecutor(1) as pool:
        assert run(refs("1", "2"), Plan(tmp_path, "v1"), judge, pool, said.append) == 1

    assert sorted(line[4:] for line in said) == [
        "A 2: VUS-PR 0.500, 0 false incidents, 2 s",
        "A__1 failed: ValueError('no such member')",
    ]


def test_a_model_is_used_again_only_where_there_is_one(tmp_path: Path) -> None:
    one, two = refs("1", "2")
    plan = Plan(tmp_path / "now", "v1", models=tmp_path / "before")
    before = Plan(tmp_path / "before", "v1")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.json").write_text("{}")
    for _ in range(2):
        keep(tmp_path / "model", before.kept_model(one))

    assert plan.known_model(one) == before.kept_model(one)
    assert (before.kept_model(one) / "model.json").read_text() == "{}"
    assert plan.known_model(two) is None
    assert before.known_model(one) is None


def test_what_the_product_refuses_is_a_result_with_the_reason(tmp_path: Path) -> None:
    path = series_file(tmp_path, "A__1", train=5)
    found = judge_case(CaseRef("A", "1", read_series, str(path)), Plan(tmp_path / "results", "v1"))

    assert "5 readings" in str(found["error"])
    assert load(tmp_path / "results") == [found]


def test_the_version_follows_from_code_settings_and_options_but_not_from_what_no_score_passes_through(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "model.py").write_text("a = 1")
    (tmp_path / "service" / "loop.py").write_text("b = 1")
    settings = Settings()
    first = code_version(settings, "", tmp_path)

    (tmp_path / "service" / "loop.py").write_text("b = 2")
    assert code_version(settings, "", tmp_path) == first
    assert code_version(settings, "--steps 5", tmp_path) != first
    alerts = settings.alerts.model_copy(update={"budget_per_sensor_day": 5.0})
    assert code_version(settings.model_copy(update={"alerts": alerts}), "", tmp_path) != first
    (tmp_path / "model.py").write_text("a = 2")
    assert code_version(settings, "", tmp_path) != first


def test_results_of_other_code_are_named() -> None:
    assert other_versions([result("A", "1"), result("A", "2", version="v2")], "v1") == {"v2"}
