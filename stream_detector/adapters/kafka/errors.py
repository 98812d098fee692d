"""Translates the client's errors to ours, which differ by who has to react."""

from __future__ import annotations

import kafka.errors as kafka_errors

from stream_detector.adapters.kafka.security import remedy
from stream_detector.errors import (
    RIGHTS_PAGE,
    FencedError,
    PermanentDeliveryError,
    RetriableError,
    SettingsError,
    StreamDetectorError,
)
from stream_detector.settings.group import PREFIX

#: Errors that a retry cannot resolve: an operator has to act.
PERMANENT = (
    kafka_errors.AuthorizationError,
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    kafka_errors.MessageSizeTooLargeError,
    kafka_errors.RecordListTooLargeError,
    kafka_errors.InvalidRecordError,
    kafka_errors.InvalidTimestampError,
    kafka_errors.InvalidTopicError,
    kafka_errors.InvalidGroupIdError,
    kafka_errors.InconsistentGroupProtocolError,
    kafka_errors.GroupMaxSizeReachedError,
    kafka_errors.PolicyViolationError,
    kafka_errors.UnsupportedVersionError,
    kafka_errors.UnsupportedForMessageFormatError,
    kafka_errors.UnsupportedCompressionTypeError,
    kafka_errors.UnsupportedCodecError,
)

#: Messages about settings that the brokers refuse, by the brokers' error.
REFUSED_SETTINGS: dict[type[Exception], str] = {
    kafka_errors.InvalidSessionTimeoutError: (
        f"{PREFIX}KAFKA__SESSION_TIMEOUT_SECONDS is outside the range that the brokers allow"
        " (group.min.session.timeout.ms, 6 s unless changed, to group.max.session.timeout.ms)"
    ),
    kafka_errors.InvalidTransactionTimeoutError: (
        f"{PREFIX}KAFKA__TRANSACTION_TIMEOUT_SECONDS is longer than the brokers allow (transaction.max.timeout.ms)"
    ),
    kafka_errors.InvalidReplicationFactorError: (
        f"{PREFIX}KAFKA__REPLICATION_FACTOR exceeds the number of brokers, or the number that they accept"
    ),
}


def translate(error: Exception, doing: str, instance_id: str | None = None) -> StreamDetectorError:
    """Return our error for one of the client's. `doing` names the attempted operation and its place."""
    refused = REFUSED_SETTINGS.get(type(error))
    if refused is not None:
        return SettingsError(refused)
    if isinstance(error, kafka_errors.FencedInstanceIdError):
        return FencedError(two_replicas(instance_id))
    if isinstance(error, PERMANENT):
        return PermanentDeliveryError(f"{doing}: Kafka refuses: {explain(error)}{advice(error)}")
    return RetriableError(f"{doing}: {explain(error)}")


def advice(error: Exception) -> str:
    """Return what to do about an error, as the end of a message; "" if nothing is known."""
    if isinstance(error, kafka_errors.AuthorizationError):
        return f". Grant this Kafka user the right that it lacks: {RIGHTS_PAGE} lists all that are needed"
    if isinstance(error, kafka_errors.SaslAuthenticationFailedError):
        return f". {remedy(type(error).__name__)}"
    if isinstance(error, kafka_errors.InvalidTimestampError):
        return ". Raise message.timestamp.after.max.ms of the topic: records keep the time that they had in the plant's topic"
    if isinstance(error, kafka_errors.MessageSizeTooLargeError):
        return ". Raise max.message.bytes of the topic, or make the record smaller"
    return ""


def two_replicas(instance_id: str | None) -> str:
    """Return why a static member was fenced, and what to do."""
    return f"two replicas share instance_id {instance_id}: give each its own {PREFIX}KAFKA__INSTANCE_ID"


def explain(error: Exception) -> str:
    """Return an error's text on one line, shortened."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
