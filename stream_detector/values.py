"""What the text, true or false, or number of one feature means: the one parser of values, for files and for the stream.

    a number            as it is; text that is a number too, also with a decimal comma if it cannot separate thousands
    true, false         1 and 0, also as text: see TRUE_TEXTS and FALSE_TEXTS
    missing             None, NaN, the words of MISSING_WORDS, and what a MissingValues adds, which comes first
    anything else       missing as well, but with a reason: it is counted, and said

Text is compared without regard to case and outer blanks. Knows neither JSON nor files.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from stream_detector.readings import BoolArray, FloatArray, Lost

#: Why a feature has no value although something was sent. Metrics and logs use these codes.
SAYS_MISSING = "says_missing"  # a word or a code that means missing
NOT_A_NUMBER = "not_a_number"  # other text
NOT_FINITE = "not_finite"  # infinite, or beyond float32
WRONG_TYPE = "wrong_type"  # an object or a list
UNUSABLE_REASONS = (SAYS_MISSING, NOT_A_NUMBER, NOT_FINITE, WRONG_TYPE)

_WORDS = """
null none nil nan na nat nd nv ka error err fault failed failure fail invalid invaliddata missing unknown undefined
unavailable empty blank void fehler keinwert keinedaten ungültig ungueltig defekt störung gestört ausfall sindatos erreur
1ind 1qnan 1snan 1inf nanind ref value div0 num name wert bezug valeur
nodata novalue noresult nosample noreading nogood nogooddata nogooddataforcalculation notgood missingdata datamissing
notavailable notapplicable notready notfound tagnotfound pointnotfound notconnected notconnect disconnected nocommunication
iotimeout timeout timedout noresponse commfail commsfail commfailure commerror commloss communicationerror
communicationfailure communicationloss lossofcommunication configure devicefailure offline
sensorfailure sensorfail sensorfault sensorerror sensorbreak wirebreak opencircuit shortcircuit
intfshut scanoff scantimeout ptcreated shutdown outofservice outofserv oos arcoffline
overrange underrange outofrange overflow underflow questionable uncertain calcfailed calcoff
"""
#: Words that mean missing, their letters and digits only: of databases and spreadsheets, of historians, of gateways and
#: controllers. ASCII text without any letter or digit means missing as well.
MISSING_WORDS = frozenset(_WORDS.split())
#: OPC: Bad, Bad Input, "Bad, Not Connected", BadCommunicationError, Uncertain_LastUsableValue; but no names of places.
_QUALITY = re.compile(r"(?i:bad|uncertain)(?![a-z])")
#: What is no part of a word; a number in brackets before it, as of an error, is not either.
_NO_LETTERS = re.compile(r"^\s*[\[(]-?[0-9]+[\])]|[\W_]+")
TRUE_TEXTS = frozenset(("true", "t", "yes", "y", "on", "ja", "wahr"))
FALSE_TEXTS = frozenset(("false", "f", "no", "n", "off", "nein", "falsch"))

#: Begins the text that stands for a value that is not where it is looked for: it means missing, and is shown whole.
NOTHING_AT = "Bad: nothing at "

FLOAT32_MAXIMUM = float(np.finfo(np.float32).max)
#: Longer text is no number; a prefix of it is shown.
_LONGEST_NUMBER = 400
_SHOWN_CHARACTERS = 40
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_COMMA = re.compile(r"([+-]?)([0-9]+),([0-9]+)((?:[eE][+-]?[0-9]+)?)")
_INFINITE = frozenset(("inf", "infinity", "∞"))
_NOWHERE: Mapping[Lost, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MissingValues:
    """Words and numbers that mean missing in addition to MISSING_WORDS: of all features, and of some."""

    texts: frozenset[str] = frozenset()  # in small letters, without outer blanks
    numbers: frozenset[float] = frozenset()
    of_features: Mapping[str, MissingValues] = field(default_factory=dict)

    @classmethod
    def of(cls, listed: object) -> MissingValues:
        """Build from a list of texts, numbers and objects that have such a list for a feature: ["Bad", {"flow": [-9999]}].

        One item needs no list. Text that is a number counts as that number. Raises ValueError for anything else.
        """
        texts, numbers, features = set[str](), set[float](), dict[str, list[object]]()
        for item in _as_list(listed):
            if isinstance(item, Mapping):
                for name, values in item.items():
                    features.setdefault(str(name), []).extend(_as_list(values))
            elif isinstance(item, bool) or not isinstance(item, str | int | float):
                msg = f'{item!r} is neither text nor a number, nor an object of features such as {{"temperature": [-9999]}}'
                raise ValueError(msg)
            elif (number := _as_number(item)) is None:
                texts.add(str(item).strip().casefold())
            else:
                numbers.add(number)
        return cls(frozenset(texts), frozenset(numbers), {name: cls.of(values) for name, values in features.items()})

    @classmethod
    def parse(cls, text: str) -> MissingValues:
        """Parse an option: values separated by commas, each for all features or as FEATURE=VALUE. Raises ValueError."""
        items: list[object] = []
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = item.rpartition("=")
            if (equals and not name.strip()) or re.search(r"[0-9]\s*[;|]", item):
                raise ValueError(f"{item!r}: separate values by commas; write one of a single feature as temperature=-1")
            items.append({name.strip(): [value.strip()]} if equals else item)
        return cls.of(items)

    def __bool__(self) -> bool:
        return bool(self.texts or self.numbers or self.of_features)

    def __or__(self, other: MissingValues) -> MissingValues:
        """Return what either of the two has."""
        names = sorted(self.of_features.keys() | other.of_features.keys())
        none = MissingValues()
        features = {name: self.of_features.get(name, none) | other.of_features.get(name, none) for name in names}
        return MissingValues(self.texts | other.texts, self.numbers | other.numbers, features)

    def of_feature(self, name: str) -> MissingValues:
        """Return what applies to a feature: that of all features, and its own."""
        own = self.of_features.get(name)
        return MissingValues(self.texts, self.numbers) | own if own else MissingValues(self.texts, self.numbers)

    def to_json(self) -> list[Any]:
        """Return the list from which `of` builds the same, as a model directory keeps it."""
        features = {name: values.to_json() for name, values in sorted(self.of_features.items())}
        return [*sorted(self.texts), *sorted(self.numbers), *([features] if features else [])]

    def __str__(self) -> str:
        everywhere = [*(repr(text) for text in sorted(self.texts)), *(f"{number:g}" for number in sorted(self.numbers))]
        return ", ".join([*everywhere, *(f"{values} of {name}" for name, values in sorted(self.of_features.items()))])


NO_MISSING_VALUES = MissingValues()


@dataclass(frozen=True, slots=True)
class Unusable:
    """What stood in a feature that has no value: a reason of UNUSABLE_REASONS, and what was found, shortened for people."""

    reason: str
    found: str


def describe_lost(lost: Mapping[Lost, int], most: int = 5, first: Mapping[Lost, str] = _NOWHERE) -> list[str]:
    """Return a line for each feature and reason: whose values are missing, what stood there, and how often.

    `first` are places where each was seen first, if known; a line has that of its most frequent one.
    """
    groups: dict[tuple[str, str], Counter[Lost]] = {}
    for kind, count in lost.items():
        groups.setdefault((kind.feature, kind.reason), Counter())[kind] = count
    ordered = sorted(groups.items(), key=lambda group: -group[1].total())
    lines = [_describe_group(feature, reason, group, first) for (feature, reason), group in ordered[:most]]
    rest = sum(group.total() for _, group in ordered[most:])
    return [*lines, f"and {rest:,} more values of other features"] if rest else lines


def _describe_group(feature: str, reason: str, group: Counter[Lost], first: Mapping[Lost, str]) -> str:
    sensors, texts = Counter[str](), Counter[str]()
    for kind, count in group.items():
        sensors[kind.sensor] += count
        texts[kind.found] += count
    whose = sensors.most_common(1)[0][0] + (f" and {len(sensors) - 1:,} more" if len(sensors) > 1 else "")
    shown = ", ".join(f"{text} {count:,} time{'s' if count > 1 else ''}" for text, count in texts.most_common(3))
    others = group.total() - sum(count for _, count in texts.most_common(3))
    why = {NOT_A_NUMBER: " (not a number)", NOT_FINITE: " (infinite, or beyond 32-bit floating point)"}.get(reason, "")
    commonest = group.most_common(1)[0][0]
    where = first.get(commonest)
    seen = f", {f'{commonest.found} ' if len(texts) > 1 else ''}first in {where}" if where else ""
    return f"{feature} of {whose}: {shown}{f', others {others:,} times' if others else ''}{why}{seen}"


def parse_value(value: object, words: Collection[str] = ()) -> float | Unusable:
    """Return the number that a feature's value stands for; NaN if it is missing (None, NaN or blank text).

    `words` are further texts that mean missing (MissingValues.texts). Numbers that mean missing are found by `is_code`.
    """
    if value is None:
        return math.nan
    if isinstance(value, str):
        return parse_text(value, words)
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return _finite(_to_float(value), f"{_to_float(value):g}")
    return Unusable(WRONG_TYPE, _kind(value))


def parse_text(text: str, words: Collection[str] = ()) -> float | Unusable:
    """Return the number that a text stands for; NaN if it is blank or says NaN. Takes time in proportion to its length."""
    if len(text) > _LONGEST_NUMBER:
        return Unusable(NOT_A_NUMBER, _shown(text))
    stripped = text.strip().replace("\N{MINUS SIGN}", "-")
    word = stripped.casefold()
    if word in words:
        return Unusable(SAYS_MISSING, _shown(stripped))
    if _NUMBER.fullmatch(stripped):
        return _finite(float(stripped), _shown(stripped))
    if not word or word in ("nan", "null"):
        return math.nan
    if word.lstrip("+-") in _INFINITE:
        return Unusable(NOT_FINITE, _shown(stripped))
    if _says_missing(stripped):
        return Unusable(SAYS_MISSING, stripped if stripped.startswith(NOTHING_AT) else _shown(stripped))
    if word in TRUE_TEXTS or word in FALSE_TEXTS:
        return float(word in TRUE_TEXTS)
    match = _COMMA.fullmatch(stripped)
    if match and not has_doubtful_comma(stripped):
        return _finite(float(f"{match[1]}{match[2]}.{match[3]}{match[4]}"), _shown(stripped))
    return Unusable(NOT_A_NUMBER, _shown(stripped))


def has_doubtful_comma(text: str) -> bool:
    """Return whether a text is a number whose comma may separate thousands as well as decimals: 1,234 but not 0,234 or 1,23."""
    match = _COMMA.fullmatch(text.strip())
    return match is not None and len(match[3]) == 3 and len(match[2]) <= 3 and not match[2].startswith("0")


def is_code(values: FloatArray, missing: MissingValues) -> BoolArray:
    """Return where values [N] of a feature are a number that means missing, to the precision of float32."""
    codes = np.array(sorted(missing.numbers), np.float64).astype(np.float32)
    return np.isin(values.astype(np.float32), codes)


def _says_missing(text: str) -> bool:
    letters = _NO_LETTERS.sub("", text).casefold()
    is_punctuation = not letters and text.isascii()
    return is_punctuation or letters in MISSING_WORDS or _QUALITY.match(text) is not None


def _finite(number: float, shown: str) -> float | Unusable:
    return number if math.isnan(number) or abs(number) <= FLOAT32_MAXIMUM else Unusable(NOT_FINITE, shown)


def _to_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _as_list(values: object) -> Iterable[object]:
    return values if isinstance(values, list | tuple) else [values]


def _as_number(item: str | float) -> float | None:
    """Return the number that a listed value is; None for text, and for numbers that are missing anyway."""
    if isinstance(item, str) and not _NUMBER.fullmatch(item.strip()):
        return None
    return _to_float(float(item) if isinstance(item, str) else item)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")


def _kind(value: object) -> str:
    """Describe a value that is neither number nor text, with the first names in it."""
    if isinstance(value, Mapping):
        names = [str(name)[:20] for name in list(value)[:4]]
        return f"an object with {', '.join(names)}" if names else "an empty object"
    return "a list" if isinstance(value, list | tuple) else "another type"
