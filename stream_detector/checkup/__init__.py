"""What `check` and `dead-letters` say: findings from facts, and dead letters in groups. Pure: adapters gather the facts."""

from __future__ import annotations
