"""What the demo prints about its servers. The demo itself runs in tests/integration/test_demo.py."""

from __future__ import annotations

import io
import shlex

from pydantic import SecretStr
from rich.console import Console

from stream_detector.demo.environment import DemoServers
from stream_detector.demo.run_demo import _introduce
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings


def test_the_command_for_other_readers_reads_committed_alerts_only() -> None:
    kafka = KafkaSettings.model_validate({"brokers": "kafka-1:9092", "alerts_topic": "demo-alerts"})
    redis = RedisSettings(url=SecretStr("redis://:hidden@redis:6379/0"))
    printed = io.StringIO()

    _introduce(DemoServers(kafka, redis, owns_broker=True, owns_redis=False), Console(file=printed, width=40))

    (line,) = (line for line in printed.getvalue().splitlines() if "kafka-console-consumer.sh" in line)
    words = shlex.split(line)
    assert words[words.index("--bootstrap-server") + 1] == "kafka-1:9092"
    assert words[words.index("--topic") + 1] == "demo-alerts"
    assert words[words.index("--isolation-level") + 1] == "read_committed"
    assert "hidden" not in printed.getvalue()
