"""Texts of values that files and stream must understand alike."""

from __future__ import annotations

from stream_detector.values import NOT_A_NUMBER, NOT_FINITE

#: Text and its number.
NUMBERS = [
    *(("61.2", 61.2), ("-3e2", -300.0), ("+1.5", 1.5), (" 7 ", 7.0), (".5", 0.5), ("5.", 5.0), ("1E3", 1000.0), ("007", 7.0)),
    *(("61,2", 61.2), ("-1234,5", -1234.5), ("0,125", 0.125), ("1,2345", 1.2345), ("1,5e3", 1500.0)),
    *(
        ("true", 1.0),
        ("FALSE", 0.0),
        ("True", 1.0),
        ("yes", 1.0),
        ("No", 0.0),
        ("ON", 1.0),
        ("off", 0.0),
        ("t", 1.0),
        ("f", 0.0),
    ),
    *(("\N{MINUS SIGN}5", -5.0), ("WAHR", 1.0), ("falsch", 0.0), ("ja", 1.0), ("nein", 0.0), ("y", 1.0), ("n", 0.0)),
]
#: Words that mean that there is no value.
MEANS_MISSING = [
    *("Bad", "Bad Input", "No Data", "I/O Timeout", "Comm Fail", "Not Connected", "Offline", "Questionable", "Shutdown"),
    *(
        "BadNotConnected",
        "Bad, Not Connected",
        "Bad_CommunicationError",
        "IO_TIMEOUT",
        "Comm-Fail",
        "COMM LOSS",
        "Tag not found",
    ),
    *(
        "[-11059] No Good Data For Calculation",
        "Sensor Break",
        "OverRange",
        "1.#QNAN",
        "-1.#IND",
        "N.A.",
        "(null)",
        "---",
        "*.*",
    ),
    *("NA", "N/A", "None", "-", "--", "#N/A", "#REF!", "#VALUE!", "#DIV/0!", "Scan Off", "Pt Created", "Error", "Invalid"),
]
#: Other text, and the reason.
UNUSABLE = [
    *(("inf", NOT_FINITE), ("-Infinity", NOT_FINITE), ("1e999", NOT_FINITE), ("1e39", NOT_FINITE)),
    *(
        ("Baden", NOT_A_NUMBER),
        ("running", NOT_A_NUMBER),
        ("1,234", NOT_A_NUMBER),
        ("1.234,5", NOT_A_NUMBER),
        ("1,234.5", NOT_A_NUMBER),
    ),
    *(("1_000", NOT_A_NUMBER), ("0x10", NOT_A_NUMBER), ("12 bar", NOT_A_NUMBER), ("1e", NOT_A_NUMBER), ("٣", NOT_A_NUMBER)),
    *(("10 000", NOT_A_NUMBER), ("5%", NOT_A_NUMBER), ("<0.1", NOT_A_NUMBER), ("2026-01-01", NOT_A_NUMBER)),
]
