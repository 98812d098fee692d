"""A real Chromium without a window, in which tests open the pages that the product writes.

It is the one on the PATH. With CI set, on Debian as root, it is installed; on anyone else's machine nothing is installed.

    python -m tests.servers.browser     # install it, or report what is missing
"""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.kafka import may_install
from tests.servers.processes import ServerMissingError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SECONDS = 60.0
INSTALL_SECONDS = 900.0
#: Shows a page in a frame of its own, and writes down where everything in it came to lie.
_MEASURE = """
<!doctype html><meta charset="utf-8"><style>body { margin: 0 } iframe { border: 0; width: WIDTHpx; height: 4000px }</style>
<iframe></iframe><pre id="measured"></pre><script>
window.ran = false;
const frame = document.querySelector("iframe");
const box = rect => [rect.left, rect.top, rect.right, rect.bottom];
const boxOf = element => box(element.getBoundingClientRect());
frame.onload = () => {
  const page = frame.contentDocument, texts = [], walker = page.createTreeWalker(page.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.data.trim() || ["STYLE", "SCRIPT", "title"].includes(node.parentNode.nodeName)) continue;
    const range = page.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) texts.push([node.data.trim(), ...box(rect)]);
  }
  const curves = [...page.querySelectorAll("svg polyline")].map(
    line => [line.getAttribute("class"), ...boxOf(line), ...boxOf(line.closest("svg"))]);
  const images = [...page.images].map(image => image.naturalWidth);
  document.getElementById("measured").textContent = JSON.stringify(
    {ran: window.ran, width: page.documentElement.scrollWidth, texts, curves, images});
};
frame.srcdoc = PAGE;
</script>
"""


@dataclass(frozen=True, slots=True)
class Box:
    """Where something lies in a page, in pixels from its top left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def is_in(self, other: Box) -> bool:
        """Return whether it lies within another, give or take a pixel."""
        return (
            self.left >= other.left - 1
            and self.right <= other.right + 1
            and self.top >= other.top - 1
            and self.bottom <= other.bottom + 1
        )

    def overlaps(self, other: Box) -> bool:
        """Return whether both share more than two pixels each way."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > 2
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 2
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A page as a browser shows it."""

    width: float  # what a reader can scroll to
    texts: list[tuple[str, Box]]
    curves: list[tuple[str, Box, Box]]  # kind of curve, itself, its chart
    image_widths: list[int]  # 0: the image could not be shown
    ran_a_script: bool

    def overlapping(self) -> list[tuple[str, str]]:
        """Return pairs of texts that lie on each other."""
        return [
            (text, other)
            for number, (text, box) in enumerate(self.texts)
            for other, its_box in self.texts[number + 1 :]
            if box.overlaps(its_box)
        ]


def browser_command() -> str:
    """Return the command of the browser. Raises ServerMissingError, which says what to install."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and may_install():
        _install()
        found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        msg = f"no browser for the tests: none of {', '.join(NAMES)} is on the PATH. On Debian: sudo apt-get install chromium"
        raise ServerMissingError(msg)
    return found


def _install() -> None:
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], install):
        subprocess.run(command, env=environment, timeout=INSTALL_SECONDS, check=False, stdout=sys.stderr)


def shown(text: str, directory: Path, width: int) -> Page:
    """Open a page, given as its HTML, in a frame of so many pixels; the directory is for the browser's own files.

    A script in the page that sets `parent.ran` is noticed.
    """
    harness = directory / "harness.html"
    page = json.dumps(text).replace("<", "\\u003c")
    harness.write_text(_MEASURE.replace("WIDTH", str(width)).replace("PAGE", page), encoding="utf-8")
    command = [browser_command(), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={directory / 'profile'}"]
    command += ["--no-first-run", "--disable-extensions", "--virtual-time-budget=5000", "--dump-dom", harness.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    found = re.search(r'<pre id="measured">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the browser measured nothing: {done.stdout[-500:]} {done.stderr[-500:]}"
    measured = json.loads(html.unescape(found[1]))
    return Page(
        width=measured["width"],
        texts=[(words, Box(*box)) for words, *box in measured["texts"]],
        curves=[(kind, Box(*numbers[:4]), Box(*numbers[4:])) for kind, *numbers in measured["curves"]],
        image_widths=measured["images"],
        ran_a_script=measured["ran"],
    )


if __name__ == "__main__":
    try:
        browser_command()
    except ServerMissingError as missing:
        sys.exit(str(missing))
