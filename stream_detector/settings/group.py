"""What every group of settings has: the prefix of the names, bounded numbers, and the base class."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

PREFIX = "STREAM_DETECTOR_"
#: The variable that reports and answers name most.
BUDGET_VARIABLE = f"{PREFIX}ALERTS__BUDGET_PER_SENSOR_DAY"
Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]
Count = Annotated[int, Field(ge=1)]
#: A wait short enough not to disturb the consumer group or an orderly stop.
ShortWait = Annotated[float, Field(ge=0, le=1)]

_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Group(BaseModel):
    """A group of settings. An unknown name in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def legal_topic(name: str) -> str:
    """Return the name of a topic; raise ValueError if Kafka would refuse it."""
    if not _TOPIC.fullmatch(name) or name in (".", ".."):
        msg = "not a topic name: use 1 to 249 letters, digits, dots, underscores and hyphens, and not . or .. alone"
        raise ValueError(msg)
    return name
