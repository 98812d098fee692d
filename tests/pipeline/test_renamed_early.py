"""Questions about renamed tags, asked early."""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase

from stream_detector.pipeline.renamed_early import EarlyQuestions
from stream_detector.state.bucket_state import Assembly
from tests.fakes.memory_log import MemoryRecord
from tests.pipeline.replica_config import INPUT, SECOND_MS, START_MS, ReplicaConfig, reading

PLANT = ReplicaConfig(assembly=Assembly(5 * SECOND_MS, 600 * SECOND_MS))
#: Names like the feature a, as many as are kept of a sensor.
OTHERS = tuple("a" + letter for letter in ascii_lowercase if letter not in "ab")[:20]


def test_tags_that_always_came_do_not_keep_a_renamed_one_from_being_asked_about() -> None:
    detector, decoder = PLANT.detector(), PLANT.decoder()
    early, asked = EarlyQuestions(detector), list[str]()
    sensors = [f"s{number}" for number in range(520)]  # 10,400 tags in all
    detector.admit_new(0, [*sensors, "pump-1"])

    def send(messages: list[tuple[str, int, str]]) -> None:
        records = [
            MemoryRecord(INPUT, 0, second, START_MS, b"", reading(sensor, START_MS + second * SECOND_MS, 1.0, features=(tag,)))
            for sensor, second, tag in messages
        ]
        decoded = decoder.decode(records)
        detector.detect(decoded.readings, decoded.deaths, decoded.unknown)
        asked.extend(early.look(decoded.unknown))

    for second in range(0, 20, 5):
        send([(sensor, second, tag) for sensor, tag in product(sensors, ("a", "b", *OTHERS))])
    send([("pump-1", 20, "a"), ("pump-1", 20, "b")])
    for second in range(25, 45, 5):
        send([("pump-1", second, "a"), ("pump-1", second, "b2")])

    assert len(asked) == 1
    assert asked[0].startswith("'pump-1' has sent no b for 15 s, and b2, which the model does not know")
