"""The commands of `stream-detector`: one module each, with `add_arguments(parser)` and `main(arguments) -> int`.

cli.py imports only the module of the requested command. Each module imports heavy libraries inside `main`.
"""

from __future__ import annotations
