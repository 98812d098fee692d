"""What `check` says about the brokers, the rights and the topics, from what the brokers said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stream_detector.checkup.findings import Finding, exit_code, ok, unchecked, warning, wrong
from stream_detector.checkup.history_findings import retention_findings
from stream_detector.checkup.kafka_facts import KafkaFacts, LogFacts, TopicFacts
from stream_detector.checkup.kafka_findings import broker_findings, replica_findings, right_findings, topic_findings

ALL = frozenset(("READ", "WRITE", "DESCRIBE"))
READINGS = TopicFacts("readings", exists=True, partitions=6, replicas=3, allowed=ALL, configs={"cleanup.policy": "delete"})
ALERTS, DEAD = replace(READINGS, name="alerts"), replace(READINGS, name="dead")
FACTS = KafkaFacts(3, "", "", 2, {"input_topic": READINGS, "alerts_topic": ALERTS, "dead_letter_topic": DEAD})
HOUR = 3_600_000


def levels(findings: list[Finding]) -> list[str]:
    return [finding.level for finding in findings]


def of_input(facts: TopicFacts, *, creates: bool = True) -> list[Finding]:
    """Return the findings about the input topic."""
    changed = replace(FACTS, topics={**FACTS.topics, "input_topic": facts})
    return [one for one in topic_findings(changed, creates=creates) if one.about == "input topic"]


def test_a_plant_with_nothing_wrong_has_only_good_findings() -> None:
    found = [
        *broker_findings(FACTS, "kafka-1:9092", "with TLS"),
        *right_findings(FACTS, "detector"),
        *topic_findings(FACTS, creates=False),
        *replica_findings(FACTS, "detector", 6),
    ]

    assert levels(found) == ["ok"] * 6
    assert found[0].text == "3 brokers answer at kafka-1:9092, with TLS"
    assert found[2].text == "readings has 6 partitions, 3 replicas each"


def test_a_missing_right_is_named_with_the_command_that_grants_it() -> None:
    topics = {**FACTS.topics, "alerts_topic": replace(ALERTS, allowed=frozenset(("READ",)))}
    facts = KafkaFacts(3, "GROUP_AUTHORIZATION_FAILED", None, 0, topics)

    on_alerts, on_group, on_transactions = right_findings(facts, "detector")

    assert on_alerts.text == "this user may not WRITE topic alerts"
    assert on_alerts.what_to_do[0].endswith("--operation WRITE --topic alerts")
    assert on_group.what_to_do[0].endswith("--operation READ --group detector")
    assert (on_transactions.level, exit_code([on_transactions])) == ("unchecked", 2)


@pytest.mark.parametrize(
    ("facts", "creates", "level", "says"),
    [
        (TopicFacts("readings", exists=False), False, "error", "there is no topic readings"),
        (TopicFacts("readings", exists=False), True, "error", "run would create it, empty"),
        (TopicFacts("readings", exists=False, creation_refused="no right"), True, "error", "could not create it: no right"),
        (TopicFacts("readings", exists=False, refused="not allowed"), True, "error", "do not show topic readings: not allowed"),
        (replace(READINGS, configs={"cleanup.policy": "compact"}), True, "error", "windows cannot be rebuilt"),
        (replace(READINGS, configs={"cleanup.policy": "compact,delete"}), True, "error", "windows cannot be rebuilt"),
        (replace(READINGS, offline=1), True, "error", "1 partition of readings has no leader"),
        (replace(READINGS, configs={"min.insync.replicas": "4"}), True, "error", "asks for 4 in sync"),
        (replace(READINGS, replicas=1), True, "warning", "losing its broker loses it"),
    ],
)
def test_what_is_wrong_with_the_input_topic_is_said(facts: TopicFacts, creates: bool, level: str, says: str) -> None:
    first = of_input(facts, creates=creates)[0]

    assert first.level == level
    assert says in first.text
    assert first.what_to_do


def test_output_topics_that_run_creates_are_no_fault() -> None:
    topics = {**FACTS.topics, "alerts_topic": TopicFacts("alerts", exists=False)}

    found = list(topic_findings(replace(FACTS, topics=topics), creates=True))

    assert levels(found) == ["ok"] * 3


@pytest.mark.parametrize(
    ("partitions", "members", "wanted", "level"),
    [(6, 2, None, "ok"), (6, 2, 6, "ok"), (6, 2, 7, "warning"), (6, 8, None, "warning"), (1, 0, None, "warning")],
)
def test_more_replicas_than_partitions_are_said(partitions: int, members: int, wanted: int | None, level: str) -> None:
    topics = {**FACTS.topics, "input_topic": replace(READINGS, partitions=partitions)}

    (found,) = replica_findings(replace(FACTS, members=members, topics=topics), "detector", wanted)

    assert found.level == level


LOG = LogFacts(1000, 0, oldest_ms=10 * HOUR, newest_ms=11 * HOUR)


@pytest.mark.parametrize(
    ("configs", "level", "says"),
    [
        ({"retention.ms": "-1", "retention.bytes": "-1"}, "ok", "readings for ever"),
        ({"retention.ms": str(4 * HOUR), "retention.bytes": "-1"}, "ok", "reads back at most 2 h"),
        ({"retention.ms": str(3 * HOUR), "retention.bytes": "-1"}, "warning", "hardly more than the 2 h"),
        ({"retention.ms": str(HOUR), "retention.bytes": "-1"}, "error", "windows could not be filled again"),
        ({"retention.ms": "-1", "retention.bytes": "1000"}, "warning", "which hold 60 min now"),
        (None, "warning", "this user may not read how long"),
    ],
)
def test_the_retention_is_compared_with_what_a_restart_reads_back(
    configs: dict[str, str] | None, level: str, says: str
) -> None:
    (found,) = retention_findings(replace(READINGS, configs=configs), LOG, 2 * HOUR)

    assert found.level == level
    assert says in found.text
    assert bool(found.what_to_do) == (level != "ok")


def test_errors_count_more_than_what_could_not_be_found_out_and_warnings_not_at_all() -> None:
    good, odd, open_one, bad = ok("a", ""), warning("a", ""), unchecked("a", ""), wrong("a", "")

    assert [exit_code(found) for found in ([good], [good, odd], [odd, open_one], [open_one, bad])] == [0, 0, 2, 1]


def test_what_to_type_names_this_plants_brokers() -> None:
    finding = wrong("a", "b", "kafka-topics.sh --b HOST:PORT")

    assert finding.typed({"HOST:PORT": "kafka-1:9092"}).what_to_do == ("kafka-topics.sh --b kafka-1:9092",)
