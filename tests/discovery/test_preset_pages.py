"""The page of each preset shows what `init` writes for its sample, and that reads the sample."""

from __future__ import annotations

from typing import Any

import pytest

from stream_detector.discovery.guess import guess_input
from tests.ingest.foreign import foreign, read
from tests.ingest.preset_pages import DOCS, PAGES, SAMPLES, WRITTEN


@pytest.mark.parametrize("name", PAGES)
def test_init_writes_for_the_sample_what_the_page_shows_and_that_reads_it(name: str) -> None:
    sample, readings = SAMPLES[name]

    settings = guess_input([foreign(sample) for _ in range(10)]).settings

    assert settings == WRITTEN[name]
    assert [list(one) for one in read(sample, **settings)] == readings


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_the_parts_of_a_page_and_is_in_the_index(name: str) -> None:
    titles = ["## A sample", "## What `init` writes", "## Settings", "## What is left out", "## Traps"]

    assert [line for line in PAGES[name].splitlines() if line.startswith("## ")] == titles
    assert f"| `{name}` |" in (DOCS / "formats.md").read_text()


AZURE = {**SAMPLES["azure-iot"][0], "Body": {"ts": 1795417920, "machine": "m1", "telemetry": {"temp": 61.2}}}
EVENT = {**SAMPLES["cloudevents"][0], "data": {"machine": "m1", "ts": 1795417920, "values": {"temp": 61.2}}}
TAGS = {"timestamp": 1, "values": [{"id": "C1.D1.G1.Temp", "v": 61.2, "q": True, "t": 1795417920250}]}


@pytest.mark.parametrize(
    ("sample", "settings", "reading"),
    [
        (
            AZURE,
            {"preset": "azure-iot", "time": "body.ts", "values": "body.telemetry", "sensor": "{device}/{body.machine}"},
            ("press-1/m1", 1795417920, {"temp": 61.2}),
        ),
        (
            EVENT,
            {"preset": "cloudevents", "sensor": "data.machine", "time": "data.ts", "values": "data.values"},
            ("m1", 1795417920, {"temp": 61.2}),
        ),
        (
            TAGS,
            {"preset": "kepware", "tag_pattern": r"(?P<sensor>[^.]+\.[^.]+)\.(?P<feature>.+)"},
            ("C1.D1", 1795417920250, {"G1.Temp": 61.2}),
        ),
    ],
)
def test_settings_that_the_pages_name_do_what_they_say(sample: Any, settings: dict[str, Any], reading: object) -> None:  # noqa: ANN401 - JSON
    assert read(sample, **settings) == [reading]
