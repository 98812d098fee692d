"""Runs the Python blocks of docs/model.md. A block that begins with `# raises TYPE: TEXT` must raise just that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "model.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
RAISES = re.compile(r"# raises ValueError: (.*)\n")


def test_the_page_tells_the_failure_and_both_cures() -> None:
    assert len(BLOCKS) >= 6
    assert sum(bool(RAISES.match(block)) for block in BLOCKS) == 2


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_does_what_the_page_says(block: str) -> None:
    code = compile(block, str(PAGE), "exec")
    expected = RAISES.match(block)
    if expected is None:
        exec(code, {"__name__": "page"})
        return
    with pytest.raises(ValueError, match=re.escape(expected[1])):
        exec(code, {"__name__": "page"})
