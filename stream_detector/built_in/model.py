"""The figures of the built-in model, as training/built_in.py wrote them into the package, and what follows from them."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from stream_detector.built_in.members import LENGTH, NAMES, NEWEST
from stream_detector.detection.calibration import Calibration, Tails
from stream_detector.detection.own_tails import TAIL_SHARE, OwnTails
from stream_detector.readings import Float32Array
from stream_detector.state.known_sensors import SensorTable

BUILT_IN = "built-in"
PLACE = Path(__file__).with_name("model.json")
#: Log errors above their level, in the sensor's own deviations, are taken as normally distributed: what is rarer than that is
#: learned as the tail of their surprise. The surprise is linear between such points, and beyond the last.
_GRID = tuple(number / 8.0 for number in range(-24, 41))


@dataclass(frozen=True, slots=True)
class BuiltInModel:
    """The figures. M members."""

    version: str
    matrix: Float32Array  # [LENGTH - NEWEST, NEWEST] of the forecast
    variance: tuple[float, ...]  # [M] of log errors around the level of their series
    typical: float  # mean surprise
    start: float  # above the typical surprise, where its tail begins
    scale: float  # mean excess there

    @classmethod
    def parse(cls, text: str) -> BuiltInModel:
        """Read the figures. The version is a hash of them, so equal figures have equal versions."""
        found = json.loads(text)
        version = hashlib.sha256(json.dumps(found["figures"], sort_keys=True).encode()).hexdigest()[:12]
        figures = found["figures"]
        matrix = np.array(figures.pop("matrix"), np.float32).reshape(LENGTH - NEWEST, NEWEST)
        return cls(version, matrix, tuple(figures.pop("variance")), **figures)

    def calibration(self, features: int) -> Calibration:
        """Return how surprising errors are; the model knows no sensor."""
        none, members = np.empty((0, features), np.float32), len(NAMES)
        knots, surprises = np.array(_GRID), np.array([_surprise(at) for at in _GRID])
        slope = (surprises[-1] - surprises[-2]) / (knots[-1] - knots[-2])
        return Calibration(
            members=NAMES,
            weights=np.full(members, 1.0 / members),
            tails=Tails(np.tile(knots, (members, 1)), surprises, np.full(members, 1.0 / slope)),
            pooled_level=np.zeros(members),
            typical=self.typical,
            tail_start=self.start,
            tail_rate=TAIL_SHARE,
            tail_scale=self.scale,
            tail_shape=0.0,
            readings=1,
            sensors=SensorTable({}, none, none, np.empty((0, members)), np.empty(0)),
            prior_count=0.0,
            own=OwnTails(np.array(self.variance), self.start, self.scale),
        )


def _surprise(deviations: float) -> float:
    """Return -ln of the share of a normal distribution that is above so many deviations."""
    return -math.log(0.5 * math.erfc(deviations / math.sqrt(2.0)))


@cache
def built_in_model() -> BuiltInModel:
    """Return the model of the package."""
    return BuiltInModel.parse(PLACE.read_text(encoding="utf-8"))
