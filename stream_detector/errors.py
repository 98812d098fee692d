"""Every error this package raises on purpose, and who reacts to it.

StreamDetectorError            shown to the user as one message, exit code 1
├── SettingsError              a setting is wrong or missing; names the setting
├── InputDataError             a file or topic given by the user cannot be used; names it and the line
├── ModelError                 a model directory is missing, damaged or does not fit
├── DeadLetterLimitError       too much of the input is undecodable; the service stops, the batch uncommitted
├── PermanentDeliveryError     Kafka refuses for good (size, authorisation, no such topic); the service stops
├── FencedError                another replica uses the same instance id; the service stops
├── StalledError               nothing moved for too long; the service stops to be restarted
└── RetriableError             the pipeline reacts, the user only sees a metric and a log line
    ├── CommitFailedError      the transaction failed or its outcome is unknown: reset and restore
    │   └── MembershipLostError  the group goes on without this member: restore when it is a member again
    └── StoreUnavailableError  Redis does not answer: go on within the bound, then hold
        └── StoreRefusedError  Redis answers and refuses (password, rights, certificate); at the start the service ends
"""

from __future__ import annotations

#: Where messages about a missing right point the reader.
RIGHTS_PAGE = "docs/security.md"


class StreamDetectorError(Exception):
    """Base of all errors raised on purpose; its text is meant for the user."""


class SettingsError(StreamDetectorError):
    """A setting is wrong or missing."""


class InputDataError(StreamDetectorError):
    """A file or topic given by the user cannot be used."""


class ModelError(StreamDetectorError):
    """A model directory is missing, damaged or does not fit."""


class DeadLetterLimitError(StreamDetectorError):
    """Too large a share, or too long a run, of the input is undecodable."""


class PermanentDeliveryError(StreamDetectorError):
    """Kafka refuses a record or an operation, and a retry would be refused as well."""


class FencedError(StreamDetectorError):
    """Another replica runs under the same instance id."""


class StalledError(StreamDetectorError):
    """Nothing moved for longer than the watchdog allows."""


class RetriableError(StreamDetectorError):
    """The pipeline recovers from this by itself."""


class CommitFailedError(RetriableError):
    """A transaction failed, or its outcome is unknown; the batch must be forgotten and read again."""


class MembershipLostError(CommitFailedError):
    """The transaction failed because the group has gone on without the membership that it was made with."""


class StoreUnavailableError(RetriableError):
    """The state store did not answer in time."""


class StoreRefusedError(StoreUnavailableError):
    """The state store refuses us, and goes on refusing until an operator acts; the text says what to do."""
