"""The configurations of the campaign's replicas, by name, so that a process can get one as an argument."""

from __future__ import annotations

from dataclasses import replace

from tests.pipeline.replica_config import SECOND_MS, ReplicaConfig, changed

#: Every scored reading is anomalous and yields one event, which identifies its window; incidents last 20 s of event time.
EVERY = ReplicaConfig(margin=-10.0, update_ms=0, accept_ms=20 * SECOND_MS, max_sensors=4000)
#: One reading in four is anomalous: incidents open, close and lapse, levels move.
SOME = ReplicaConfig(max_sensors=4000)
#: One in thirty: most batches say nothing, and wait to be committed.
FEW = replace(SOME, margin=0.4)
#: The same as some with fewer places in memory than sensors.
EVICTING = replace(SOME, max_sensors=64)
#: The same as some and as evicting, and sensors can fall silent.
SILENT, SILENT_EVICTING = replace(SOME, silent_s=10), replace(EVICTING, silent_s=10)
PLANTS = {
    "every": EVERY,
    "some": SOME,
    "few": FEW,
    "evicting": EVICTING,
    "silent": SILENT,
    "silent-evicting": SILENT_EVICTING,
}


def plant_of(name: str, model_version: str = "v1") -> ReplicaConfig:
    """Return a configuration. Models of other versions have the same features and window, but their own levels."""
    plant = PLANTS[name]
    number = int(model_version.removeprefix("v"))
    return changed(plant, replace(plant.model, version=model_version), model_tag=number)
