"""The documentation says what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from stream_detector.cli import COMMANDS
from stream_detector.ingest.document import REASONS
from tests.docs_tables import BEGIN, DOCS, END, TABLES, with_table

README = DOCS.parent / "README.md"
PAGES = [README, README.with_name("CONTRIBUTING.md"), README.with_name("CHANGELOG.md"), *sorted(DOCS.rglob("*.md"))]

#: Words that stood for the field's own; docs/glossary.md has those to use. Regular expressions.
PRIVATE_WORDS = (
    "anew",
    "as far as that goes",
    "be it",
    "h[eo]lds? against",
    "is to be had",
    "let(?:s|ting)? go of",
    "ma[dk]es? out",
    "nothing of the kind",
    "of late",
    "says? (?:nothing|something)",
)


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_made_from_the_code(name: str) -> None:
    page = (DOCS / name).read_text()

    assert BEGIN in page
    assert END in page
    assert page == with_table(page, TABLES[name]()), "run python -m tests.docs_tables"


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    page = (DOCS / "input.md").read_text()

    assert [reason for reason in REASONS if f"| `{reason}` |" not in page] == []


def test_every_field_of_an_event_is_explained() -> None:
    schema = json.loads(resources.files("stream_detector").joinpath("detection", "event.schema.json").read_text())
    page = (DOCS / "events.md").read_text()

    assert [field for field in schema["properties"] if f"| `{field}` |" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_headings_lead_to_one(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]*\.md|)#([^)]+)\)", page.read_text())
    pages = [(page.parent / file if file else page, heading) for file, heading in targets]

    assert [f"{file.name}#{heading}" for file, heading in pages if heading not in _anchors(file.read_text())] == []


def _anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_paths_named_in_the_map_of_the_code_exist() -> None:
    named = re.findall(r"`((?:tests|stream_detector)/[\w./-]+)`", (DOCS / "architecture.md").read_text())

    assert len(named) > 3
    assert [path for path in named if not (DOCS.parent / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_named_in_the_text_exist(page: Path) -> None:
    known = re.findall(r"`STREAM_DETECTOR_(\w+)`", (DOCS / "settings.md").read_text())
    named = re.findall(
        r"\b(?:STREAM_DETECTOR_)?((?:KAFKA|REDIS|MODEL|STATE|INPUT|DEAD_LETTERS|ALERTS|RULES|HTTP|SERVICE)__[A-Z_]+)",
        page.read_text(),
    )

    assert sorted(set(named) - set(known)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tests_named_in_the_text_exist(page: Path) -> None:
    tests = Path(__file__).parent
    known = {name for file in tests.rglob("test_*.py") for name in re.findall(r"def (test_\w+)\(", file.read_text())}

    assert sorted(set(re.findall(r"`(test_\w+)`", page.read_text())) - known) == []


def test_pages_and_code_use_the_glossary_and_no_private_words() -> None:
    texts = [*PAGES, *(DOCS.parent / "stream_detector").rglob("*.py"), *(DOCS.parent / "stream_detector").rglob("*.lua")]
    private = re.compile(rf"\b(?:{'|'.join(PRIVATE_WORDS)})\b", re.IGNORECASE)
    unbroken = {path: re.sub(r"\s+(?:#:?|--)?\s*", " ", path.read_text()) for path in texts}

    assert [f"{path.name}: {found[0]}" for path, text in unbroken.items() for found in private.finditer(text)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_is_in_the_readme(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stream_detector", command, "--help"], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert COMMANDS[command].split(",")[0].split(":")[0][1:20] in " ".join(done.stdout.split())
    assert f"stream-detector {command}" in README.read_text()
