"""Which rows of a file `score` judges: those of the state that the model learned in, in order of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.commands.file_options import ONLY_WHILE
from stream_detector.errors import ModelError
from stream_detector.readings import BoolArray
from stream_detector.tables.condition import Condition
from stream_detector.tables.dataset import Dataset


def state_of(report: Mapping[str, Any]) -> Condition | None:
    """Return the state in which a model learned, by its report; None: in all. Raises ModelError if it cannot be read."""
    text = report.get(ONLY_WHILE)
    if text is None:
        return None
    try:
        return Condition.parse(str(text))
    except ValueError as error:
        msg = f"the model's report names a state that it learned in, but {error}; name it with --only-while"
        raise ModelError(msg) from None


def in_row_order(dataset: Dataset) -> Dataset:
    """Return rows that were made of tags in order of time, as the stream would bring them."""
    return dataset.take(np.argsort(dataset.times_ms, kind="stable").astype(np.int64))


def with_rows_left_out(scored: pa.Table, kept: BoolArray, identity: Mapping[str, pa.Array]) -> pa.Table:
    """Return a row for each row [N] of the file: what was scored where `kept`, no score and no anomaly elsewhere.

    `identity` has the columns that every row has.
    """
    positions = pa.array(np.cumsum(kept) - 1, mask=~kept)
    full = scored.take(positions)
    defaults = {"is_anomaly": pa.scalar(0, pa.int8()), "rule": pa.scalar("")}
    columns = {
        name: pc.fill_null(full.column(name), defaults[name]) if name in defaults else full.column(name)
        for name in full.column_names
    }
    return pa.table({**columns, **identity})
