"""What every group of settings has: the prefix of the names, bounded numbers, and the base class."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "STREAM_DETECTOR_"
Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
Count = Annotated[int, Field(ge=1)]


class Group(BaseModel):
    """A group of settings. An unknown name in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
