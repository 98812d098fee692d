"""Understands columns that say whether values are good: words, numbers of OPC DA, status codes of OPC UA, and flags."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stream_detector.readings import BoolArray

_NAME = re.compile(
    r"(?P<base>.*?)[\s_.\-:/]*(?:quality|qualität|qualitaet|quality[\s_]?code|opc[\s_]?quality|status[\s_]?code|güte|guete)",
    re.IGNORECASE,
)
_GOOD_WORDS = re.compile(r"\s*(good|gut|ok|okay|valid|gültig|gueltig|normal|true|bon)\b.*", re.IGNORECASE)
_BAD_WORDS = re.compile(
    r"\s*(bad|uncertain|schlecht|unsicher|invalid|ungültig|ungueltig|fail|error|fehler|questionable|stale|false|mauvais|"
    r"comm|not |no |out of|offline|timeout|i/o).*",
    re.IGNORECASE,
)
#: A code of OPC DA has its quality in these bits; in OPC UA the two highest bits of 32 are the severity.
_DA_BITS, _DA_GOOD, _DA_MOST = 0xC0, 0xC0, 0xFFFF
_UA_FROM = 1 << 30


def quality_of(names: Sequence[str], features: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return for each column whose name says that it is a quality the features that it is of: one by its name, or all."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        match = _NAME.fullmatch(re.sub(r"\s*[\[(].*[\])]$", "", name).strip())
        if match is None:
            continue
        base = match["base"].casefold()
        of = tuple(feature for feature in features if _base(feature) == base or feature.casefold() == base)
        if of or not base:
            found[name] = of or tuple(features)
    all_qualities = set(found)
    return {name: tuple(one for one in of if one not in all_qualities) for name, of in found.items()}


def _base(feature: str) -> str:
    """Return a feature's name without a unit in brackets and without .Value."""
    return re.sub(r"[\s_.]*value$", "", re.sub(r"\s*[\[(].*[\])]$", "", feature).strip().casefold())


def good(column: pa.ChunkedArray, good_codes: Sequence[str]) -> tuple[BoolArray, str] | None:
    """Return where a quality [N] is good, and how it was understood; None if it cannot be a quality.

    `good_codes` are what the user says is good.
    """
    if pa.types.is_boolean(column.type):
        return np.asarray(pc.fill_null(column, False).to_numpy(), np.bool_), "true is good"
    texts = pc.utf8_trim_whitespace(column.cast(pa.string())).combine_chunks()
    encoded = (texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts).dictionary_encode()
    words: list[str] = [word or "" for word in encoded.dictionary.to_pylist()]
    understood = _of_user(words, good_codes) if good_codes else _of_words(words)
    if understood is None:
        return None
    is_good, how = understood
    codes = encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return np.array([*is_good, False])[codes], how


def _of_user(words: list[str], good_codes: Sequence[str]) -> tuple[list[bool], str]:
    known = {code.casefold() for code in good_codes}
    return [word.casefold() in known for word in words], f"good: {', '.join(good_codes)}"


def _of_words(words: list[str]) -> tuple[list[bool], str] | None:
    said = [word for word in words if word]
    numbers = [_integer(word) for word in said]
    if said and all(number is not None for number in numbers):
        return _of_numbers(words, {number for number in numbers if number is not None})
    if not all(_GOOD_WORDS.fullmatch(word) or _BAD_WORDS.fullmatch(word) for word in said):
        return None
    is_good = [bool(_GOOD_WORDS.fullmatch(word)) for word in words]
    return is_good, f"good: {', '.join(sorted(word for word, one in zip(words, is_good, strict=True) if one)[:5]) or 'none'}"


def _of_numbers(words: list[str], found: set[int]) -> tuple[list[bool], str] | None:
    if found <= {0, 1} and 1 in found:
        return [_integer(word) == 1 for word in words], "1 is good"
    if any(number & _DA_BITS == _DA_GOOD and number <= _DA_MOST for number in found) and max(found) <= _DA_MOST:
        is_good = [(_integer(word) or 0) & _DA_BITS == _DA_GOOD for word in words]
        return is_good, "OPC quality, 192 and above in its lower byte is good"
    if found and 0 in found and all(number == 0 or number >= _UA_FROM for number in found) and len(found) > 1:
        return [word != "" and _integer(word) == 0 for word in words], "OPC UA status code, 0 is good"
    return None


def _integer(word: str) -> int | None:
    try:
        return int(word, 0) if word.lower().startswith("0x") else int(float(word)) if float(word).is_integer() else None
    except (ValueError, OverflowError):
        return None
