"""The configurations of the campaign's replicas, by name, so that a process can get one as an argument."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stream_detector.detection.governor import Governor
from stream_detector.detection.own_tails import OwnTails
from stream_detector.detection.rules.fold import RuleConfig
from stream_detector.detection.rules.healthy import HealthyData
from stream_detector.detection.rules.incidents import Pace
from stream_detector.detection.rules.limits import LimitOptions, rule_limits
from stream_detector.detection.transition import FROZEN, MISSING_FEATURE, OUT_OF_RANGE
from stream_detector.state.bucket_state import Assembly
from tests.pipeline.replica_config import KNOWN, SECOND_MS, ReplicaConfig, changed

#: Every scored reading is anomalous and yields one event, which identifies its window; incidents last 20 s of event time.
EVERY = ReplicaConfig(margin=-10.0, update_ms=0, accept_ms=20 * SECOND_MS, max_sensors=4000)
#: One reading in four is anomalous: incidents open, close and lapse, levels move, and so do limits, up and down, also
#: where surprise has lasted.
SOME = ReplicaConfig(max_sensors=4000, governor=Governor(spare=1.0), sustained_margin=0.005)
#: One in thirty: most batches say nothing, and wait to be committed.
FEW = replace(SOME, margin=0.4)
#: The same as some with fewer places in memory than sensors.
EVICTING = replace(SOME, max_sensors=64)
#: The same as some and as evicting, and sensors can fall silent.
SILENT, SILENT_EVICTING = replace(SOME, silent_s=10), replace(EVICTING, silent_s=10)
#: Limits so short that the campaign's readings are now frozen, now missing, now out of range.
_LIMITS = rule_limits(HealthyData.none(len(KNOWN), 2), ("a", "b"), LimitOptions(ranges={"a": (None, 0.7)}))
_RULES = RuleConfig(
    replace(_LIMITS, unchanged=np.full_like(_LIMITS.unchanged, 6), absent=np.full_like(_LIMITS.absent, 1), least_run=6),
    frozenset({FROZEN, MISSING_FEATURE, OUT_OF_RANGE}),
    Pace(quiet_readings=2, update_ms=5 * SECOND_MS),
    healthy_factor=1.0,
)
#: The same as some and as evicting, with rules.
RULES, RULES_EVICTING = replace(SOME, rule_config=_RULES), replace(EVICTING, rule_config=_RULES)
#: The same as rules and as rules with evictions; each message has a single feature.
ASSEMBLED = replace(RULES, assembly=Assembly(2 * SECOND_MS, 8 * SECOND_MS))
#: A second has a message of each feature, so most buckets are complete before the next one begins.
ASSEMBLED_EVICTING = replace(ASSEMBLED, max_sensors=64, assembly=Assembly(SECOND_MS, 8 * SECOND_MS))
#: The same as silent and as silent with evictions, of Sparkplug nodes; the model knows some of their devices.
_DEVICES = tuple(f"g/n{partition}/d{device}" for partition in range(6) for device in (0, 2, 5))
SPARKPLUG = replace(RULES, preset="sparkplug", silent_s=10, known=_DEVICES, rule_config=None)
SPARKPLUG_EVICTING = replace(SPARKPLUG, max_sensors=64)
SPARKPLUG_ASSEMBLED = replace(SPARKPLUG, assembly=Assembly(2 * SECOND_MS, 8 * SECOND_MS))
#: The same as rules and as rules with evictions; a machine is idle at one reading in ten, and says little of half of its state.
IDLE = replace(RULES, model=replace(RULES.model, only_while="a < 0.9 and b >= 0"))
IDLE_EVICTING = replace(IDLE, max_sensors=64)
#: The same as some and as evicting; each sensor learns its own tails, as with the built-in model.
OWN = replace(SOME, own=OwnTails(np.array([0.05]), start=0.1, scale=0.1))
OWN_EVICTING = replace(OWN, max_sensors=64)
PLANTS = {
    "own": OWN,
    "own-evicting": OWN_EVICTING,
    "several": replace(EVERY, values="values"),
    "sparkplug": SPARKPLUG,
    "sparkplug-evicting": SPARKPLUG_EVICTING,
    "sparkplug-assembled": SPARKPLUG_ASSEMBLED,
    "idle": IDLE,
    "idle-evicting": IDLE_EVICTING,
    "assembled": ASSEMBLED,
    "assembled-evicting": ASSEMBLED_EVICTING,
    "rules": RULES,
    "rules-evicting": RULES_EVICTING,
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
