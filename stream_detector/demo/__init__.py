"""The demo: the real job, on servers of its own or given ones, with faults that are known.

places.py is where it runs, job.py the real commands as processes, show.py the stream and its alerts.
"""

from __future__ import annotations
