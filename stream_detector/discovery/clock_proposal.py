"""Proposes the zone of times without one, and says which clocks are wrong."""

from __future__ import annotations

from stream_detector.discovery.clocks import Clocks, compare_clocks, zones_ahead
from stream_detector.discovery.guessed import Guess
from stream_detector.discovery.profile import Profile
from stream_detector.timestamps import duration, iso_time

#: Without a setting, readings that are ahead of their records by more are refused (INPUT__MAX_FUTURE_SECONDS).
_USUAL_FUTURE_MS = 3_600_000
#: A clock that is ahead may be so by this much more, as local time is in summer.
_MARGIN_MS = 2 * 3_600_000


def clocks_of(profile: Profile) -> Clocks:
    """Return what a sample says of the sensors' clocks."""
    return compare_clocks({name: one.ahead_ms for name, one in profile.sensors.items() if one.ahead_ms})


def guess_clock(guess: Guess, profile: Profile, clocks: Clocks) -> None:
    """Set the zone of times without one, or how far clocks may be ahead, with the doubt."""
    named = clocks.differing()
    if named:
        guess.doubts.append(
            f"the clocks of these sensors differ from those of the others: {named}. Set them right: what happens at one time "
            "in the plant is seen at different times here"
        )
    is_zoneless = 2 * profile.zoneless > profile.readings and "time_zone" not in guess.settings
    if clocks.zone_ms:
        _guess_zone(guess, profile, clocks.zone_ms, is_zoneless=is_zoneless)
    elif is_zoneless and clocks.common_ms is None:
        guess.doubts.append(
            f"the times have no zone ({profile.zoneless_example!r}), and those of the records do not tell which: they are "
            "taken as UTC. If the plant writes local time, set input.time_zone, such as Europe/Berlin"
        )


def _guess_zone(guess: Guess, profile: Profile, zone_ms: int, *, is_zoneless: bool) -> None:
    by = f"{duration(abs(zone_ms) / 1000)} {'ahead of' if zone_ms > 0 else 'behind'} those of their records"
    candidates = zones_ahead(zone_ms, profile.newest_ms) if is_zoneless else []
    if candidates:
        listed = ", ".join(candidates)
        guess.set("time_zone", candidates[0], f"the times have no zone and are {by}: local times, as in {listed}")
        guess.doubts.append(
            f"which zone are the times of ({profile.zoneless_example!r})? They are {by}, as in {listed}. Set "
            "input.time_zone to that of the plant: zones with the same clock now may change to summer time on other days"
        )
        return
    cure = "the sender writes local time as if it were UTC" if zone_ms > 0 or is_zoneless else "a zone, or a delay"
    guess.doubts.append(f"the times are {by}, a whole number of quarter hours: {cure}. Mend it there if you can")
    if zone_ms > _USUAL_FUTURE_MS - _MARGIN_MS:
        seconds = (zone_ms + _MARGIN_MS) / 1000
        guess.set("max_future_seconds", seconds, f"the times are {by}; without this, such readings are refused")


def say_clock(guess: Guess, profile: Profile, clocks: Clocks) -> str:
    """Say how the sensors' clocks compare with the records' times; empty if the readings have no times."""
    if guess.settings.get("time") == "" or profile.newest_ms < 0:
        return ""
    if profile.zoneless and "time_zone" not in guess.settings:
        zone = "a text without a zone is taken as UTC"
    else:
        zone = f"a text without a zone is in {guess.settings['time_zone']}" if profile.zoneless else ""
    lag = ""
    if clocks.common_ms is not None and not clocks.zone_ms:
        after = -clocks.common_ms / 1000
        lag = f"records are written {duration(after)} after" if after >= 0.0005 else "records are written at these times"
    return f"Times reach to {iso_time(profile.newest_ms)}{'; ' if zone else ''}{zone}{'; ' if lag else ''}{lag}."
