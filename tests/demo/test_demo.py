"""What the demo says of where it runs. The demo itself is in tests/integration/test_demo.py."""

from __future__ import annotations

import io
import shlex

from pydantic import SecretStr
from rich.console import Console

from stream_detector.demo.environment import Places
from stream_detector.demo.run_demo import _introduce
from stream_detector.settings.schema import KafkaSettings, RedisSettings


def test_who_listens_in_is_told_to_read_committed_alerts_only() -> None:
    kafka = KafkaSettings.model_validate({"brokers": "kafka-1:9092", "alerts_topic": "demo-alerts"})
    redis = RedisSettings(url=SecretStr("redis://:hidden@redis:6379/0"))
    said = io.StringIO()

    _introduce(Places(kafka, redis, owns_broker=True, owns_redis=False), Console(file=said, width=40))

    (line,) = (line for line in said.getvalue().splitlines() if "kafka-console-consumer.sh" in line)
    words = shlex.split(line)
    assert words[words.index("--bootstrap-server") + 1] == "kafka-1:9092"
    assert words[words.index("--topic") + 1] == "demo-alerts"
    assert words[words.index("--isolation-level") + 1] == "read_committed"
    assert "hidden" not in said.getvalue()
