"""Reloads the rules of a running service: on SIGHUP it rereads the settings and applies the groups `alerts` and `rules`.

The rules change only when every partition is restored and stored. So a replay uses the rules that first decided each reading,
unless the process dies in between; docs/delivery.md explains that case.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Protocol

from stream_detector.detection.decision_rules import DecisionRules
from stream_detector.errors import SettingsError
from stream_detector.pipeline.executor import no_op
from stream_detector.service.metrics import Metrics
from stream_detector.service.signals import ReloadFlag
from stream_detector.settings.group import PREFIX
from stream_detector.settings.schema import AlertSettings, RuleSettings, Settings
from stream_detector.settings.sources import changed_settings

logger = logging.getLogger(__name__)

_RELOADED = (f"{PREFIX}ALERTS__", f"{PREFIX}RULES__")
_SILENCE = ("silent_seconds", "silent_intervals", "silent_pauses")
_NOT_RELOADED = frozenset(f"{PREFIX}RULES__{name.upper()}" for name in _SILENCE)


class Decider(Protocol):
    """The part of the pipeline that the reloader needs."""

    def settle(self) -> bool:
        """Commit and persist; return whether every partition is restored, and stored up to its committed position."""
        ...

    def use_rules(self, rules: DecisionRules) -> None:
        """Decide by these rules from the next batch on."""
        ...


class Reloader:
    """Holds the rules in force and replaces them on request."""

    def __init__(
        self,
        flag: ReloadFlag,
        rules: DecisionRules,
        reread: Callable[[], DecisionRules],
        metrics: Metrics,
        on_request: Callable[[], None] = no_op,
    ) -> None:
        """Start with `rules`. `reread` returns the rules that the settings describe now, or raises SettingsError.

        Each request also calls `on_request`.
        """
        self.rules = rules
        self._flag = flag
        self._reread = reread
        self._metrics = metrics
        self._on_request = on_request
        self._waiting: DecisionRules | None = None
        self._show()

    def start_over(self, rules: DecisionRules, reread: Callable[[], DecisionRules]) -> None:
        """Use other rules, which are in force already, and derive them in another way; see __init__."""
        self.rules, self._reread, self._waiting = rules, reread, None
        self._show()

    def between_batches(self, decider: Decider) -> None:
        """Reload the settings if requested. Give new rules to the decider once it is settled."""
        if self._flag.take():
            self._on_request()
            self._reload()
            if self._waiting is not None and not decider.settle():
                logger.warning("rules %s wait until all partitions are restored and stored", self._waiting.rules_version)
        if self._waiting is not None and decider.settle():
            decider.use_rules(self._waiting)
            before, self.rules, self._waiting = self.rules, self._waiting, None
            self._show()
            logger.info("%s; previously: %s", describe_rules(self.rules), before.rules_version, extra=_fields(self.rules))
            if self.rules.resolution != before.resolution:
                log_resolution(self.rules)

    def _reload(self) -> None:
        """Read the settings. Invalid ones change nothing, not even rules that are waiting."""
        try:
            rules = self._reread()
        except SettingsError as error:
            self._metrics.count("reloads", "failed")
            reason = "; ".join(str(error).splitlines())
            logger.error(
                "reload failed, rules %s stay in force: %s", self.rules.rules_version, reason, extra=_fields(self.rules)
            )
            return
        self._metrics.count("reloads", "ok")
        if rules.rules_version == self.rules.rules_version:
            self._waiting = None
            logger.info("reloaded, no change: %s", describe_rules(rules), extra=_fields(rules))
        else:
            self._waiting = rules

    def _show(self) -> None:
        self._metrics.set_only("rules", 1, self.rules.rules_version)
        self._metrics.set("alarm_budget_per_sensor_day", self.rules.budget_per_sensor_day)
        known = self.rules.resolution
        self._metrics.set("alarm_budget_resolved", known.is_resolved if known else math.nan)
        self._metrics.set("alarm_budget_smallest_resolved_per_sensor_day", known.smallest_resolved if known else math.nan)


def reread(running: Settings, load: Callable[[], Settings]) -> tuple[AlertSettings, RuleSettings]:
    """Read the settings again and return the groups that a reload applies; log which others changed. Raises SettingsError.

    For how long a sensor may be silent stays as it is: which silences are announced is known by what was due by then.
    """
    settings = load()
    others = [name for name in changed_settings(running, settings) if not name.startswith(_RELOADED) or name in _NOT_RELOADED]
    if others:
        logger.warning("changed, but takes effect only after a restart: %s", ", ".join(others), extra={"settings": others})
    of_silence = {name: getattr(running.rules, name) for name in _SILENCE}
    return settings.alerts, settings.rules.model_copy(update=of_silence)


def describe_rules(rules: DecisionRules) -> str:
    """Describe the rules in one line."""
    return (
        f"rules {rules.rules_version}: budget {rules.budget_per_sensor_day:g} false alarms per sensor and day, "
        f"updates every {rules.update_ms / 1000:g} s, closed after {rules.quiet_ms / 1000:g} s without anomalies, "
        f"accepted as normal after {rules.accept_ms / 1000:g} s"
    )


def log_resolution(rules: DecisionRules) -> None:
    """Say whether the readings that the limit was fitted to resolve the budget; nothing without a model.

    An estimate needs no action, so it is no warning; when incidents exceed the budget, that is one.
    """
    known = rules.resolution
    if known is not None:
        extra = {**_fields(rules), "budget_resolved": known.is_resolved, "smallest_resolved": known.smallest_resolved}
        logger.info("%s", " ".join(known.lines()), extra=extra)


def _fields(rules: DecisionRules) -> dict[str, object]:
    return {"rules": rules.rules_version, "budget_per_sensor_day": rules.budget_per_sensor_day}
