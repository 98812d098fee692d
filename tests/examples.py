"""How many examples a property test tries."""

from __future__ import annotations

from hypothesis import settings

#: Hypothesis' own default, from which the profile `dev` differs.
_USUAL = 100


def examples(count: int) -> int:
    """Return `count`, or fewer under a profile with fewer examples: a fifth with --fast."""
    return max(1, count * settings.default.max_examples // _USUAL) if settings.default else count
