"""What stored sensors are judged by: the layout of their records, the model of the settings, and when they are silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stream_detector.detection.decision import reset_for_model
from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.detection.silence import SilenceRules
from stream_detector.readings import BoolArray, Int32Array
from stream_detector.state.bucket_state import Assembly
from stream_detector.state.codec.decode import decode
from stream_detector.state.idle import OnlyWhile
from stream_detector.state.known_sensors import SensorTable
from stream_detector.state.record_layout import (
    Records,
    WindowShape,
    is_assembled_layout,
    layout_name,
    shape_of_layout,
    slots_of_layout,
)
from stream_detector.state.running_scale import ScaleConfig


@dataclass(frozen=True, slots=True)
class Model:
    """What is needed of a model to judge a sensor's record, without running it."""

    shape: WindowShape
    members: int
    rules: DecisionRules
    scales: ScaleConfig
    only_while: OnlyWhile | None = None  # the state outside of which a sensor is idle
    assembly: Assembly | None = None  # of the settings: readings are assembled of messages

    @property
    def sensors(self) -> SensorTable:
        """The sensors that the model knows."""
        return self.scales.sensors

    @property
    def layout(self) -> str:
        """The name of the layout in which a service with this model stores records."""
        return layout_name(self.shape.window_length, self.shape.features, self.members, self.shape.counters, self.assembly)


@dataclass(frozen=True, slots=True)
class Judge:
    """Decodes records of one layout, and judges them by the model if that is a model of this layout."""

    shape: WindowShape
    slots: int  # levels that a record has room for
    model: Model | None
    silences: SilenceRules | None
    assembles: bool = False  # records have a pending bucket

    @classmethod
    def of(cls, layout: str, model: Model | None, silences: SilenceRules | None) -> Judge | None:
        """Return the judge of a stored layout; None if this program cannot read it."""
        shape = shape_of_layout(layout)
        if shape is None:
            return None
        fits = model is not None and model.layout == layout
        return cls(shape, slots_of_layout(layout), model if fits else None, silences, is_assembled_layout(layout))

    def decode(self, stored: Sequence[bytes | None]) -> tuple[Records, BoolArray]:
        """Return the records [N] of stored sensors, and which could be decoded [N]."""
        shape = self.shape.window_length, len(self.shape.features), self.slots
        return decode(stored, *shape, counters=len(self.shape.counters), assembles=self.assembles)

    def as_of_model(self, records: Records, table_rows: Int32Array) -> Records:
        """Return records [N] with levels of the model: those of another one count as at its start."""
        assert self.model is not None
        header = records["header"].copy()
        reset_for_model(header, table_rows, self.model.rules)
        result = records.copy()
        result["header"] = header
        return result
