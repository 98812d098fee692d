"""Measures the cost of a million sensors in one process, compared with a thousand: speed, memory and start-up time.

Redis is seeded with full windows, and the group's position is set behind them. So the service starts as after a restart:
its first reading of each sensor loads the sensor's window, and from the second turn on all are in memory.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice

import psutil

from stream_detector.assembly import SCALE_WINDOWS
from stream_detector.model_store.model_directory import load_artifact
from stream_detector.settings.kafka_settings import KafkaSettings
from stream_detector.settings.schema import RedisSettings
from tests.benchmarks.performance.figures import AT_LEAST, AT_MOST, NEITHER, Figure, Places, RunSize
from tests.benchmarks.performance.fleet_log import FleetLog
from tests.benchmarks.performance.models import LARGE, SMALL, trained_model
from tests.benchmarks.performance.seeding import seed
from tests.benchmarks.restore_load import commit
from tests.benchmarks.restoring import PARTITIONS, Bench
from tests.integration.service_process import ServiceProcess, environment
from tests.integration.topics import Topics
from tests.servers.valkey import Valkey

PART = "scale"
FEWEST, MOST = 1000, 1_000_000
LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 1800.0
KILOBYTE, MEGABYTE = 1e3, 1e6
SPEED_GOAL, REDIS_SMALL_GOAL, REDIS_LARGE_GOAL = 0.8, 320.0, 1.3
FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Progress:
    """The records that a service has committed, and the resources it has used."""

    at: float  # of time.monotonic()
    records: float
    cpu_seconds: float
    redis_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Span:
    """The progress of a service between two samples."""

    readings_per_second: float
    seconds: float
    cpu_us: float  # of the service, a reading
    redis_cpu_us: float


@dataclass(frozen=True, slots=True)
class Point:
    """The measurements for one number of sensors."""

    sensors: int
    start_seconds: float
    met: Span  # the turn in which every sensor is loaded
    steady: Span
    rss_bytes: int  # of the process, with all sensors in memory
    redis_bytes: float  # a sensor
    incidents: float


def measure(places: Places, size: RunSize) -> list[Figure]:
    """Return speed, memory and start for each size of the fleet; Redis for both shapes; and the cost of a rebuild."""
    fleets = size.choose(quick=(FEWEST, 10_000, 100_000), full=(FEWEST, 10_000, 100_000, MOST))
    readings = size.choose(quick=60_000, full=300_000)
    points = [_point(places, sensors, readings) for sensors in fleets]
    found = [figure for point in points for figure in _figures(point, points[0])]
    if points[-1].sensors == MOST:
        ratio = points[-1].steady.readings_per_second / points[0].steady.readings_per_second
        name, goal = "a million sensors over a thousand, readings/s", (AT_LEAST, SPEED_GOAL)
        found.append(Figure(PART, name, ratio, "ratio", "throughput_1m_over_1k_sensors", goal))
    key, goal = "redis_bytes_per_sensor_t32_f1", (AT_MOST, REDIS_SMALL_GOAL)
    found.append(Figure(PART, "Redis a sensor, univariate, window 32", points[-1].redis_bytes, "bytes", key, goal))
    found.append(_redis_over_windows(places, size.choose(quick=20_000, full=100_000)))
    return found + _rebuild(places, size.choose(quick=10_000, full=50_000))


def _figures(point: Point, fewest: Point) -> Iterator[Figure]:
    of = f"{point.sensors:,} sensors"
    yield Figure(PART, f"in memory, {of}", point.steady.readings_per_second, "readings/s")
    yield Figure(PART, f"in memory, {of}, CPU", point.steady.cpu_us, "us of CPU a reading")
    yield Figure(PART, f"in memory, {of}, CPU of Redis", point.steady.redis_cpu_us, "us of CPU a reading")
    yield Figure(PART, f"from the start to ready, Redis intact, {of}", point.start_seconds, "s")
    yield Figure(PART, f"memory of the process, {of}", point.rss_bytes / MEGABYTE, "MB")
    if point.sensors > fewest.sensors:
        yield Figure(PART, f"first reading of each, loaded from Redis, {of}", point.met.readings_per_second, "readings/s")
        yield Figure(PART, f"first reading of each, loaded from Redis, {of}, CPU", point.met.cpu_us, "us of CPU a reading")
        yield Figure(PART, f"until one reading of each is scored, {of}", point.met.seconds, "s")
        of_one = (point.rss_bytes - fewest.rss_bytes) / (point.sensors - fewest.sensors)
        yield Figure(PART, f"memory of the process a sensor, {of}", of_one / KILOBYTE, "kB")
    yield Figure(PART, f"Redis a sensor, {of}", point.redis_bytes, "bytes")
    yield Figure(PART, f"incidents, {of}", point.incidents, "incidents", better=NEITHER)


def _point(places: Places, sensors: int, readings: int) -> Point:
    """Make a service load every sensor, and then read this many readings, or one of each sensor."""
    model = trained_model(places.models, *SMALL)
    spec = load_artifact(model).spec
    turns = 1 + max(1, -(-readings // sensors))
    log = FleetLog(spec, sensors, SCALE_WINDOWS * spec.window_length, turns)
    with ExitStack() as parts:
        topics = parts.enter_context(_topics(places))
        redis_bytes = _seed(places, log, topics)
        kafka = topics.settings
        log.write(kafka.brokers, kafka.input_topic, 0, 1 + turns)
        commit(kafka, {0: sensors})
        environ = environment(kafka, places.valkey.url, model, STATE__MAX_SENSORS=sensors + kafka.max_poll_records)
        begun = time.monotonic()
        service = ServiceProcess(environ, places.directory / f"service-{sensors}.log")
        parts.callback(service.kill)
        process = psutil.Process(service.process.pid)
        service.await_ready()
        started = time.monotonic() - begun
        looks = list(_watch(service, process, psutil.Process(places.valkey.process.pid), turns * sensors))
        point = Point(
            sensors=sensors,
            start_seconds=started,
            met=_span(looks, 0, sensors),
            steady=_span(looks, sensors, turns * sensors),
            rss_bytes=process.memory_info().rss,
            redis_bytes=redis_bytes,
            incidents=service.metric('alerts_total{status="opened"}'),
        )
        assert service.stop() == 0, service.log.read_text()
    return point


def _topics(places: Places) -> closing[Topics]:
    """Create topics and a group with new names, as long as the default ones: they are part of each key in Redis."""
    new = uuid.uuid4().hex[:6]
    names = {"group_id": f"detector-{new}", "input_topic": f"readings-{new}"}
    assert all(len(name) == len(KafkaSettings.model_fields[setting].default) for setting, name in names.items())
    return closing(Topics(places.kafka.brokers, f"scale-{new}", partitions=1, **names))


def _seed(places: Places, log: FleetLog, topics: Topics) -> float:
    """Store all sensors; return the Redis memory per sensor."""
    _empty(places.valkey)
    before = _used_bytes(places.valkey)
    model = trained_model(places.models, log.model.window_length, len(log.model.features))
    seed(model, log, topics.settings, RedisSettings.model_validate({"url": places.valkey.url}))
    return (_used_bytes(places.valkey) - before) / log.count


def _watch(service: ServiceProcess, process: psutil.Process, redis: psutil.Process, records: int) -> Iterator[Progress]:
    """Sample a service until it has committed this many records, and once more then."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < deadline, "the readings are not read in time"
        seconds = [used.user + used.system for used in (process.cpu_times(), redis.cpu_times())]
        look = Progress(time.monotonic(), service.metric("records_total"), *seconds)
        yield look
        if look.records >= records:
            return
        time.sleep(LOOK_SECONDS)


def _span(looks: list[Progress], start: int, stop: int) -> Span:
    """Return the speed between the first samples that saw these numbers of committed records."""
    first, last = (next(look for look in looks if look.records >= records) for records in (start, stop))
    records = last.records - first.records
    seconds = last.at - first.at
    of_service, of_redis = last.cpu_seconds - first.cpu_seconds, last.redis_cpu_seconds - first.redis_cpu_seconds
    return Span(records / seconds, seconds, 1e6 * of_service / records, 1e6 * of_redis / records)


def _redis_over_windows(places: Places, sensors: int) -> Figure:
    """Measure Redis with the windows of the large shape: the names are the group's, the topic's and the sensors' own."""
    window_length, features = LARGE
    spec = load_artifact(trained_model(places.models, *LARGE)).spec
    log = FleetLog(spec, sensors, past=window_length, turns=0)
    with _topics(places) as topics:
        ratio = _seed(places, log, topics) / (window_length * features * FLOAT_BYTES)
    name, goal = "Redis over the bytes of the windows, 8 features, window 64", (AT_MOST, REDIS_LARGE_GOAL)
    return Figure(PART, name, ratio, "ratio", "redis_bytes_over_window_bytes", goal)


def _rebuild(places: Places, sensors: int) -> list[Figure]:
    """Measure restoring after all of Redis is lost, against only reading the same span of the log."""
    _empty(places.valkey)
    with closing(Topics(places.kafka.brokers, f"rebuild-{uuid.uuid4().hex[:8]}", PARTITIONS)) as topics:
        plain, rebuilt = islice(Bench(topics, places.valkey, sensors, readings=SMALL[0]).run(), 2)
    assert plain.records == rebuilt.records
    per_100k = 100_000 / sensors
    key = "restore_over_consume_only"
    return [
        Figure(PART, "rebuild of 100,000 sensors, Redis lost", rebuilt.elapsed_seconds * per_100k, "s"),
        Figure(PART, "consume only, the same span", plain.elapsed_seconds * per_100k, "s"),
        Figure(PART, "rebuild over consume only", rebuilt.elapsed_seconds / plain.elapsed_seconds, "ratio", key, better="less"),
        Figure(PART, "rebuild over consume only, CPU", rebuilt.cpu_seconds / plain.cpu_seconds, "ratio", better="less"),
    ]


def _empty(valkey: Valkey) -> None:
    with closing(valkey.client()) as client:
        client.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call] # else memory is freed later, and counted


def _used_bytes(valkey: Valkey) -> int:
    with closing(valkey.client()) as client:
        return int(client.info("memory")["used_memory"])
