"""The stream: readings are published at a pace, faults are told as they begin, alerts are drawn as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stream_detector.adapters.kafka.alerts_reader import AlertsReader
from stream_detector.alert_view import read_alert
from stream_detector.demo.service_process import Job
from stream_detector.errors import RetriableError, StreamDetectorError
from stream_detector.readings import Record
from stream_detector.settings.schema import KafkaSettings
from stream_detector.simulation.fault_matching import OpenedIncident
from stream_detector.simulation.faults import Fault
from stream_detector.simulation.series import Series
from stream_detector.simulation.topic_writer import ReadingsWriter, messages, paced

#: How long the service may take to catch up with what was published.
DRAIN_SECONDS = 120.0
#: Alerts are waited for so long after the last batch is committed.
LAST_ALERTS_SECONDS = 2.0


@dataclass(slots=True)
class Audience:
    """Hears of the faults, draws the alerts and remembers the incidents that opened."""

    reader: AlertsReader
    draw: Callable[[Record], None]
    tell: Callable[[Fault], None]
    opened: list[OpenedIncident] = field(default_factory=list)
    alerts: int = 0

    def listen(self, seconds: float) -> None:
        """Take what comes within some seconds."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                records = self.reader.poll(max(deadline - time.monotonic(), 0.0))
            except RetriableError:  # a broker that is busy; what comes after it counts
                records = []
            for record in records:
                self._take(record)
            if time.monotonic() >= deadline:
                return

    def _take(self, record: Record) -> None:
        self.alerts += 1
        self.draw(record)
        try:
            alert = read_alert(record.value or b"")
        except ValueError:
            return  # drawn as unreadable, and not an incident
        if alert.status == "opened":
            blamed = tuple(feature.name for feature in alert.features)
            self.opened.append(OpenedIncident(alert.sensor_id, round(alert.timestamp.timestamp() * 1000.0), blamed))


@contextmanager
def audience(settings: KafkaSettings, draw: Callable[[Record], None], tell: Callable[[Fault], None]) -> Iterator[Audience]:
    """Read the alerts topic from now on."""
    reader = AlertsReader(settings)
    try:
        reader.last(0)
        yield Audience(reader, draw, tell)
    finally:
        reader.close()


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of a series is published, and how fast."""

    steps: int
    speed: float


def perform(series: Series, pace: Pace, writer: ReadingsWriter, job: Job, listeners: Audience) -> None:
    """Publish the series and wait until the service has read all of it. Raises StreamDetectorError if it does not."""

    def wait(seconds: float) -> bool:
        listeners.listen(seconds)
        job.process.check()
        return False

    for piece in paced(series, pace.steps, pace.speed, time.time, wait):
        for sensor_id, value in messages(series, piece):
            writer.send(sensor_id, value)
        for fault in piece.begun:
            listeners.tell(fault)
    writer.flush()
    deadline = time.monotonic() + DRAIN_SECONDS
    while job.committed_records() < writer.acknowledged:
        if time.monotonic() > deadline:
            read = f"{job.committed_records():,} of {writer.acknowledged:,} readings"
            late = f"{DRAIN_SECONDS:.0f} s after the last was published"
            msg = f"the service has read {read} {late}. The end of its log:\n{job.process.log_tail()}"
            raise StreamDetectorError(msg)
        listeners.listen(0.3)
    listeners.listen(LAST_ALERTS_SECONDS)
