"""What a step of the pipeline did, for metrics and logs; the pipeline itself emits neither."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class StepReport:
    """Counts of one step. Filled in as the step goes on."""

    polled: int = 0  # records that came; the other counts are of what was committed
    is_behind: bool = False  # so many came that more must be waiting
    records: int = 0
    readings: int = 0
    late: int = 0
    restarted_windows: int = 0
    scored: int = 0
    sensor_days: float = 0.0  # event time of readings with a full window, by the model's sampling interval
    alerts: Counter[str] = field(default_factory=Counter)  # by status
    dead_letters: Counter[str] = field(default_factory=Counter)  # by reason
    committed_batches: int = 0
    failed_commits: int = 0
    replayed: int = 0  # records read again while restoring
    lost_readings: int = 0
    restores: Counter[str] = field(default_factory=Counter)  # finished, by action
    source_errors: int = 0
    store_errors: int = 0
    rewritten_partitions: int = 0
    newest_time_ms: int = -1  # newest event time seen in this step
    seconds: Counter[str] = field(default_factory=Counter)  # by stage

    @property
    def moved(self) -> bool:
        """Whether anything was read, restored or given up."""
        return bool(self.polled or self.records or self.replayed or self.restores or self.failed_commits)
