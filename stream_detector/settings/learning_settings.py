"""The settings of group `learning`: how `run` learns a model by itself while there is none."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from stream_detector.settings.group import Count, Group, Seconds
from stream_detector.state.condition import Condition


class LearningSettings(Group):
    """How `run` learns a model from the topic while there is none: [learning.md](learning.md)."""

    enabled: bool = Field(True, description="Learn from the topic while there is no model. false: train one yourself.")
    readings: Count = Field(2_000, description="Fewest readings in the topic before a training begins.")
    readings_per_sensor: Annotated[int, Field(ge=64)] = Field(
        200, description="And fewest per sensor, on average: at least one window."
    )
    window_length: Annotated[int, Field(ge=2, le=4096)] = Field(
        64, description="Readings in a window of a model that `run` or `train` makes. `train --window-length` takes precedence."
    )
    coupled_features: bool = Field(
        False,
        description="Compare each feature also with what the others say of it: "
        "[model.md](model.md#where-features-go-together). `train` follows it too, as with `--coupled-features`.",
    )
    only_while: str | None = Field(
        None,
        description="Learn from readings in this state only, such as `running == 1`, and judge only these: "
        "[idle.md](idle.md). `train` follows it too; `train --only-while` takes precedence.",
    )
    span_hours: Annotated[float, Field(gt=0, le=24 * 366)] = Field(
        14 * 24.0, description="How far back from the newest record of the topic a training reads, by the records' times."
    )
    most_records: Count = Field(2_000_000, description="Most records that a training reads: the newest.")
    memory_mb: Annotated[int, Field(ge=256)] = Field(
        2_500, description="Memory of the training, in MiB. It is ended beyond; the next attempt takes half of the records."
    )
    cores: Count | None = Field(None, description="Processors for the training. Unset: half of them, at least one.")
    train_seconds: Seconds = Field(3_600.0, description="A training is ended after this long.")
    retry_seconds: Seconds = Field(1_800.0, description="Wait after a refused model; the longest after a failed training.")
    steps: Count | None = Field(None, description="Gradient steps. Unset: as `train`, 250 to 1000 by the amount of data.")

    @field_validator("only_while")
    @classmethod
    def _only_while_is_a_condition(cls, value: str | None) -> str | None:
        if not value:
            return None
        Condition.parse(value)
        return value
