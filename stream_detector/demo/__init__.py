"""The demo: the real job, on servers of its own or given ones, with faults that are known.

environment.py is where it runs, service_process.py the real commands as processes, stream.py the stream and its alerts.
"""

from __future__ import annotations
