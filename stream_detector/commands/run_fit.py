"""Compares, before `run` joins its group, the features of the model with those that the newest readings of the topic have."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from stream_detector.assembly import input_parsing
from stream_detector.commands.connections import Connections
from stream_detector.commands.input_payload import reader_of
from stream_detector.errors import ModelError, RetriableError
from stream_detector.ingest.feature_names import feature_names
from stream_detector.ingest.renamed import renamings
from stream_detector.pipeline.feature_search import newest_records
from stream_detector.settings.schema import Settings

logger = logging.getLogger(__name__)

_MOST_NAMED = 10


def check_fit(settings: Settings, connections: Connections, features: Sequence[str]) -> None:
    """Warn of features of the model that the newest readings lack. Blocks, bounded; what cannot be read is looked at later.

    Raises ModelError if they have none of them and the group has read nothing yet: then it is a model of another topic. A
    group that has read before goes on, since its producers may be what changed.
    """
    try:
        reader = reader_of(settings)
        sent = feature_names(newest_records(connections.source, reader), input_parsing(settings.input).missing, reader)
        lacking = [name for name in features if name not in sent]
        if not sent or not lacking:
            return
        is_new = all(connections.source.committed(number) is None for number in connections.source.partitions())
    except RetriableError as error:
        logger.info("whether the model fits the topic was not looked at: %s", error)
        return
    unknown = [name for name in sent if name not in features]
    if len(lacking) < len(features):
        for line in lacking_lines(lacking, unknown):
            logger.warning("%s", line, extra={"features": lacking[:_MOST_NAMED]})
        return
    text = other_topic(settings, features, sent)
    if is_new:
        raise ModelError(text)
    logger.warning("%s", text, extra={"features": lacking[:_MOST_NAMED]})


def lacking_lines(lacking: Sequence[str], unknown: Sequence[str]) -> list[str]:
    """Say which features of the model the newest readings lack, and as what they may come now."""
    renamed = renamings(lacking, unknown)
    lines = [
        f"the newest readings have no {name}, a feature of the model; they have {renamed[name]}, which it does not know: "
        f"renamed? Send it as {name}, or train with what the topic has"
        for name in lacking
        if name in renamed
    ]
    others = [name for name in lacking if name not in renamed]
    if others:
        lines.append(
            f"the newest readings have no {_some(others)}, of the model's features: they count as missing, and the score "
            "rests on the others"
        )
    return lines


def other_topic(settings: Settings, features: Sequence[str], sent: Sequence[str]) -> str:
    """Say that the model is of another topic, and what to do."""
    return (
        f"the model in {settings.model.directory} fits no reading of topic {settings.kafka.input_topic}: it has the features "
        f"{_some(features)}, and the newest readings have {_some(sent)}. It may be of another topic: set "
        "STREAM_DETECTOR_MODEL__DIRECTORY to a directory of this topic's own, where `run` learns a model if there is none"
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
