"""The Redis user that docs/security.md describes, with exactly those rights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from tests.servers.valkey import Valkey

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
USER = "detector"
PASSWORD = "redis/secret:8d21e4"


def documented_rights(*, cluster: bool) -> list[str]:
    """Return the arguments of the page's ACL SETUSER commands, without user and password."""
    single, for_cluster = re.findall(rf"^ACL SETUSER {USER} (.+)$", PAGE.read_text(), re.MULTILINE)
    rights = [word for word in single.split() if word != ">PASSWORD"]
    return rights + for_cluster.split() if cluster else rights


def make_user(nodes: Sequence[Valkey], rights: Sequence[str]) -> str:
    """Create the user on every node; return its URL of the first node."""
    for node in nodes:
        with closing(node.client()) as client:
            client.execute_command("ACL", "SETUSER", USER, "reset", f">{PASSWORD}", *rights)  # type: ignore[no-untyped-call]
    return f"redis://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{nodes[0].port}/0"
