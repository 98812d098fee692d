"""The errors that this package raises deliberately, and who handles each.

StreamDetectorError            the user sees one message; exit code 1
├── SettingsError              a setting is wrong or missing; names the setting
├── InputDataError             a file or topic that the user named is unusable; names it and the line
├── ModelError                 a model directory is missing, damaged or does not match
├── DeadLetterLimitError       too much of the input is unusable; the service stops without committing the batch
├── PermanentDeliveryError     Kafka refuses for good (size, authorisation, no such topic); the service stops
├── FencedError                another replica has the same instance ID; the service stops
├── StalledError               no progress for too long; the process exits so that it is restarted
└── RetriableError             the pipeline recovers; the user sees a metric and a log line
    ├── CommitFailedError      the transaction failed or its outcome is unknown: restore the partitions
    │   └── MembershipLostError  the group continued without this member: restore once it has rejoined
    ├── StoreUnavailableError  Redis does not answer: continue up to a limit, then stop reading
    │   └── StoreRefusedError  Redis refuses us (password, rights, certificate): fatal at startup
    └── RegistryUnavailableError  the schema registry does not answer: hold the partitions that need it
        └── RegistryRefusedError  the schema registry refuses us (password, rights, certificate)
"""

from __future__ import annotations

#: The page that messages about missing rights point to.
RIGHTS_PAGE = "docs/security.md"


class StreamDetectorError(Exception):
    """Base of all deliberate errors. The text is written for the user."""


class SettingsError(StreamDetectorError):
    """A setting is wrong or missing."""


class InputDataError(StreamDetectorError):
    """A file or topic that the user named is unusable."""


class ModelError(StreamDetectorError):
    """A model directory is missing, damaged or does not match."""


class DeadLetterLimitError(StreamDetectorError):
    """Too much of the input is unusable: too large a share, or too many records in a row."""


class PermanentDeliveryError(StreamDetectorError):
    """Kafka refused a record or an operation, and would refuse a retry."""


class FencedError(StreamDetectorError):
    """Another replica runs with the same instance ID."""


class StalledError(StreamDetectorError):
    """The loop made no progress for longer than the watchdog allows."""


class RetriableError(StreamDetectorError):
    """The pipeline recovers from this without help."""


class CommitFailedError(RetriableError):
    """A transaction failed or its outcome is unknown. The batch must be dropped and read again."""


class MembershipLostError(CommitFailedError):
    """The transaction failed because this replica's group membership had ended."""


class StoreUnavailableError(RetriableError):
    """The state store did not answer in time."""


class StoreRefusedError(StoreUnavailableError):
    """The state store refuses us until an operator intervenes. The text says what to do."""


class RegistryUnavailableError(RetriableError):
    """The schema registry did not answer in time, or not as a schema registry does."""


class RegistryRefusedError(RegistryUnavailableError):
    """The schema registry refuses us until an operator intervenes. The text says what to do."""
