"""Publishes readings at a set pace, announces faults as they start and shows alerts as they arrive."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stream_detector.adapters.kafka.alerts_reader import AlertsReader
from stream_detector.demo.service_process import RunningService
from stream_detector.detection.events import event_time_ms, read_event
from stream_detector.errors import RetriableError, StreamDetectorError
from stream_detector.readings import Record
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.simulation.fault_matching import OpenedIncident
from stream_detector.simulation.faults import Fault
from stream_detector.simulation.series import Series
from stream_detector.simulation.topic_writer import ReadingsWriter, messages, paced

#: How long the service may take to read the remaining readings after the last is published.
DRAIN_SECONDS = 120.0
#: How long to wait for alerts after the last batch is committed.
LAST_ALERTS_SECONDS = 2.0


@dataclass(slots=True)
class AlertListener:
    """Shows the alerts and collects the incidents that opened."""

    reader: AlertsReader
    show: Callable[[Record], None]
    announce_fault: Callable[[Fault], None]
    opened: list[OpenedIncident] = field(default_factory=list)
    alerts: int = 0

    def listen(self, seconds: float) -> None:
        """Show the alerts of the next `seconds`. Blocks that long."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                records = self.reader.poll(max(deadline - time.monotonic(), 0.0))
            except RetriableError:  # the broker is busy: poll again
                records = []
            for record in records:
                self._show(record)
            if time.monotonic() >= deadline:
                return

    def _show(self, record: Record) -> None:
        self.alerts += 1
        self.show(record)
        try:
            event = read_event(record.value or b"")
        except ValueError:
            return  # `show` has reported it as unreadable
        if event.status == "opened":
            features = tuple(feature.name for feature in event.features)
            self.opened.append(OpenedIncident(event.sensor_id, event_time_ms(event.timestamp), features))


@contextmanager
def alert_listener(
    settings: KafkaSettings, show: Callable[[Record], None], announce_fault: Callable[[Fault], None]
) -> Iterator[AlertListener]:
    """Open a listener that reads the alerts topic from now on."""
    reader = AlertsReader(settings)
    try:
        reader.last(0)
        yield AlertListener(reader, show, announce_fault)
    finally:
        reader.close()


@dataclass(frozen=True, slots=True)
class Pace:
    """How many steps of a series to publish, and at how many times the speed of the clock."""

    steps: int
    speed: float


def stream_readings(
    series: Series, pace: Pace, writer: ReadingsWriter, service: RunningService, listener: AlertListener
) -> None:
    """Publish the series and wait until the service has read it. Raises StreamDetectorError after DRAIN_SECONDS."""

    def wait(seconds: float) -> bool:
        listener.listen(seconds)
        service.process.check()
        return False

    for piece in paced(series, pace.steps, pace.speed, time.time, wait):
        for sensor_id, value in messages(series, piece):
            writer.send(sensor_id, value)
        for fault in piece.started:
            listener.announce_fault(fault)
    writer.flush()
    deadline = time.monotonic() + DRAIN_SECONDS
    while service.committed_records() < writer.acknowledged:
        if time.monotonic() > deadline:
            read = f"only {service.committed_records():,} of {writer.acknowledged:,} readings"
            late = f"{DRAIN_SECONDS:.0f} s after the last was published"
            msg = f"the service had read {read} {late}. The end of its log:\n{service.process.log_tail()}"
            raise StreamDetectorError(msg)
        listener.listen(0.3)
    listener.listen(LAST_ALERTS_SECONDS)
