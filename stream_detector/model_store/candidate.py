"""Where `run` trains a model beside the model's directory, and how that model takes its place in one step.

DIRECTORY.learning/lock         held by the replica that trains, and by its training
DIRECTORY.learning/candidate    the new model, written whole or not at all
DIRECTORY.learning/put-off      why the last training gave no model, and until when no replica tries again
DIRECTORY.rejected              the last one that was not good enough
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from stream_detector.errors import ModelError
from stream_detector.files import UnsuitableFileError, read_inside
from stream_detector.model.artifact import Artifact
from stream_detector.model_store.model_directory import MAXIMUM_JSON_BYTES, is_absent, is_model
from stream_detector.model_store.serialization import REPORT

#: In report.json of a model that `run` learned by itself.
LEARNED_KEY = "learned_by_run"
#: In the directory of such a model: what its training said, as text.
TRAINING_TEXT = "training.txt"
_PUT_OFF = "put-off"


def is_learned(directory: Path) -> bool:
    """Return whether a directory holds a model that `run` learned by itself."""
    try:
        report = json.loads(read_inside(directory, REPORT, MAXIMUM_JSON_BYTES))
    except (OSError, UnsuitableFileError, ValueError, RecursionError):
        return False
    return isinstance(report, dict) and report.get(LEARNED_KEY) is True


def marked_as_learned(artifact: Artifact) -> Artifact:
    """Return the model as one that `run` learned by itself."""
    return replace(artifact, report={**artifact.report, LEARNED_KEY: True})


class PutOff(msgspec.Struct, frozen=True):
    """Why a training gave no model, for the other replicas."""

    at_s: float  # since 1970
    until_s: float
    why: str
    most_records: int  # that the next training takes


@dataclass(frozen=True, slots=True)
class CandidatePlace:
    """The places beside a model's directory."""

    model: Path

    @property
    def workplace(self) -> Path:
        """Where a training works."""
        return Path(f"{self.model}.learning")

    @property
    def candidate(self) -> Path:
        """Where a training writes its model."""
        return self.workplace / "candidate"

    @property
    def rejected(self) -> Path:
        """Where a model is kept for a look that was not good enough."""
        return Path(f"{self.model}.rejected")

    @contextmanager
    def locked(self) -> Iterator[int | None]:
        """Take the lock without waiting, and remove what a killed training left; yield its descriptor, None if it is taken.

        A process that inherits the descriptor holds the lock as well. Raises ModelError if the place cannot be written.
        """
        with _explained(self.model):
            self.workplace.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.workplace / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            except OSError as error:
                msg = f"{self.workplace / 'lock'}: cannot be locked ({error.strerror}): train with `stream-detector train`"
                raise ModelError(msg) from None
            with _explained(self.model):
                self._remove_remains()
            yield descriptor
        finally:
            os.close(descriptor)

    def put_off(self, found: PutOff) -> None:
        """Leave word for the other replicas. Call it with the lock. Raises ModelError."""
        with _explained(self.model):
            (self.workplace / _PUT_OFF).write_bytes(msgspec.json.encode(found))

    def last_put_off(self) -> PutOff | None:
        """Return the word that was left last; None if there is none that can be read."""
        try:
            return msgspec.json.decode(read_inside(self.workplace, _PUT_OFF, MAXIMUM_JSON_BYTES), type=PutOff)
        except (OSError, UnsuitableFileError, msgspec.MsgspecError, ValueError):
            return None

    def keep_report(self, text: str) -> None:
        """Put what the training said beside the candidate's files, of whose checks it is no part. Raises ModelError."""
        with _explained(self.model):
            (self.candidate / TRAINING_TEXT).write_text(f"{text.strip()}\n", encoding="utf-8")

    def promote(self) -> None:
        """Make the candidate the model, in one step. Raises ModelError if something else is there meanwhile."""
        if self.model.exists() and not is_absent(self.model):
            msg = f"there is another model in {self.model} meanwhile; what was learned is in {self.candidate}"
            raise ModelError(msg)
        with _explained(self.model):
            if self.model.is_dir() and not any(self.model.iterdir()):
                self.model.rmdir()
            self.candidate.rename(self.model)
            parent = os.open(self.model.absolute().parent, os.O_RDONLY)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)

    def reject(self) -> Path:
        """Keep the candidate beside the model's directory, and return where it is. Raises ModelError."""
        if self.rejected.exists() and not is_model(self.rejected):
            return self.candidate
        with _explained(self.model):
            shutil.rmtree(self.rejected, ignore_errors=True)
            self.candidate.rename(self.rejected)
        return self.rejected

    def _remove_remains(self) -> None:
        for path in self.workplace.iterdir():
            if path.name in ("lock", _PUT_OFF):
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


@contextmanager
def _explained(model: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"a model for {model} cannot be written ({error.strerror}): `run` needs to write in {model.absolute().parent}, "
            f"which must not be read-only, and {model} must not be a mount point of its own; or train one with "
            "`stream-detector train`"
        )
        raise ModelError(msg) from None
