"""The pages of the presets: the sample of each, what is read in it, and what `init` writes for it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = {page.stem: page.read_text() for page in sorted((DOCS / "formats").glob("*.md"))}


def _block(page: str, language: str) -> str:
    found = re.search(rf"\n```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None, f"no block {language}"
    return found[1]


#: By preset: the document of the sample, and sensor, time and values of each reading.
SAMPLES: dict[str, tuple[Any, list[list[Any]]]] = {
    name: (json.loads(_block(page, "json")), [json.loads(line) for line in _block(page, "readings").splitlines()])
    for name, page in PAGES.items()
}
#: By preset: the settings of group `input` that `init` writes.
WRITTEN: dict[str, dict[str, Any]] = {name: tomllib.loads(_block(page, "toml"))["input"] for name, page in PAGES.items()}
