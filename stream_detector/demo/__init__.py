"""The demo: the real commands on embedded or given servers, with known faults.

environment.py provides the servers, service_process.py runs the commands, stream.py publishes readings and shows alerts.
"""

from __future__ import annotations
