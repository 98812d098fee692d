"""The garbage collector while libraries and models are loaded."""

from __future__ import annotations

import gc

import pytest

from stream_detector.commands.collector import collector_paused


def test_the_collector_stands_still_in_the_block_and_goes_on_after_it_also_after_an_error() -> None:
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()

    with pytest.raises(ValueError, match="broken"), collector_paused():
        raise ValueError("broken")
    assert gc.isenabled()


def test_what_is_to_be_kept_is_scanned_no_more() -> None:
    with collector_paused(keep=True):
        loaded: list[object] = [[]]
    frozen = gc.get_freeze_count()
    scanned = {id(one) for one in gc.get_objects()}
    gc.unfreeze()

    assert frozen > 0
    assert id(loaded) not in scanned
