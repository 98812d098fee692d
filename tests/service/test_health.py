"""The pages of the HTTP port."""

from __future__ import annotations

import json

from stream_detector.service.health import health_pages
from stream_detector.service.metrics import Metrics
from stream_detector.service.watchdog import Heartbeat

LIMIT_SECONDS = 30.0


def test_health_means_that_the_loop_makes_progress_and_readiness_that_all_is_restored() -> None:
    heartbeat, now = Heartbeat(beat_at=100.0), [101.5]
    pages = health_pages(heartbeat, Metrics(), LIMIT_SECONDS, lambda: now[0])

    status, content_type, body = pages["/healthz"]()
    assert (status, content_type, json.loads(body)) == (200, "application/json", {"status": "ok", "seconds_since_step": 1.5})
    status, _, body = pages["/readyz"]()
    assert (status, json.loads(body)) == (503, {"status": "not ready", "doing": "starting"})

    heartbeat.is_ready, now[0] = True, 130.5
    assert (pages["/healthz"]()[0], pages["/readyz"]()[0]) == (503, 200)
    assert json.loads(pages["/readyz"]()[2]) == {"status": "ready"}

    heartbeat.restriction = "only the rules watch"
    assert json.loads(pages["/readyz"]()[2]) == {"status": "ready", "restriction": "only the rules watch"}


def test_metrics_have_a_page() -> None:
    status, content_type, body = health_pages(Heartbeat(0.0), Metrics(), LIMIT_SECONDS, lambda: 0.0)["/metrics"]()

    assert status == 200
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"# HELP stream_detector_records_total Records read" in body
