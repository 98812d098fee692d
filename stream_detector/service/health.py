"""The pages of the HTTP port: metrics, liveness and readiness."""

from __future__ import annotations

import json
from collections.abc import Callable

from stream_detector.service.metrics import Metrics
from stream_detector.service.watchdog import Heartbeat


def health_pages(
    heartbeat: Heartbeat, metrics: Metrics, limit_seconds: float, clock: Callable[[], float]
) -> dict[str, Callable[[], tuple[int, str, bytes]]]:
    """Return the pages by path, each a function that returns (status, content type, body)."""

    def metrics_page() -> tuple[int, str, bytes]:
        return 200, "text/plain; version=0.0.4; charset=utf-8", metrics.exposition()

    def alive() -> tuple[int, str, bytes]:
        idle_seconds = clock() - heartbeat.beat_at
        is_alive = idle_seconds <= limit_seconds
        return _json(is_alive, {"status": "ok" if is_alive else "stalled", "seconds_since_step": round(idle_seconds, 3)})

    def ready() -> tuple[int, str, bytes]:
        learning = {"learning": heartbeat.learning} if heartbeat.learning else {}
        if heartbeat.is_ready:
            restriction = {"restriction": heartbeat.restriction} if heartbeat.restriction else {}
            return _json(True, {"status": "ready", **restriction, **learning})
        return _json(False, {"status": "not ready", "doing": heartbeat.stage, **learning})

    return {"/metrics": metrics_page, "/healthz": alive, "/readyz": ready}


def _json(is_good: bool, body: dict[str, object]) -> tuple[int, str, bytes]:
    return (200 if is_good else 503), "application/json", json.dumps(body).encode()
