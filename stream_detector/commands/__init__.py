"""The commands of `stream-detector`: one module each, with `add_arguments(parser)` and `main(arguments) -> int`.

cli.py imports a command's module only when that command is asked for; modules import heavy libraries inside `main`.
"""

from __future__ import annotations
