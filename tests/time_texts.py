"""Texts and numbers of times that files and stream must understand alike."""

from __future__ import annotations

AT_MS = 1_799_999_999_250  # 2027-01-15T07:59:59.250Z

#: What is written, and the milliseconds since 1970.
TIMES: list[tuple[str, int]] = [
    *(("1799999999.25", AT_MS), ("1799999999250", AT_MS), ("1799999999250.9", AT_MS), ("1799999999250999", AT_MS)),
    *(("1799999999250999999", AT_MS), ("1.79999999925e9", AT_MS), ("+1799999999", AT_MS - 250), ("1799999999", AT_MS - 250)),
    *(("2027-01-15T07:59:59.250Z", AT_MS), ("2027-01-15T08:59:59.25+01:00", AT_MS), ("2027-01-15T07:59:59.2509999Z", AT_MS)),
    *(("2027-01-15 07:59:59.250", AT_MS), ("20270115T075959Z", AT_MS - 250), ("2027-01-15t07:59:59.250z", AT_MS)),
    *(("2027-01-15 07:59:59.250 UTC", AT_MS), ("2027-01-15T07:59:59.250 GMT", AT_MS), ("1799999999,25", AT_MS)),
    *(("2027-01-15T07:59:59,250", AT_MS), (" 2027-01-15T07:59:59.250Z ", AT_MS), ("2027-01-15", AT_MS - 28_799_250)),
    *(("1970-01-01T00:00:00Z", 0), ("150000000", 150_000_000_000), ("150000000000", 150_000_000_000)),
]
#: What is refused, and a part of the reason.
NO_TIMES = [
    *(
        ("46083.0007", "a day number of a spreadsheet (Excel): it would be 2026-03-02 00:01"),
        ("46083", "it would be 2026-03-02 00:00"),
        ("46083,5", "a day number of a spreadsheet (Excel): it would be 2026-03-02 12:00"),
    ),
    *(("740043.5", "a day number of MATLAB"), ("2461101.5", "a Julian day number: it would be 2026-03-02 00:00")),
    *(("0", "seconds or rows counted from another start"), ("17", "counted from another start"), ("86400.5", "another start")),
    *(
        ("20260302", "a date written without separators"),
        ("20260302000100", "without separators"),
        ("202603020001", "without sep"),
    ),
    *(
        ("134169120000000000", "a Windows file time"),
        ("639080064000000000", ".NET ticks"),
        ("3855254400", "seconds from 1900 or 1904"),
    ),
    *(("-5", "is before 1970"), ("1e300", "not between 1970 and 2100"), ("4102444800001", "not between 1970 and 2100")),
    *(
        ("2201-01-01", "not between 1970 and 2100"),
        ("1969-12-31T23:59:59Z", "not between 1970 and 2100"),
        ("yesterday", "is not ISO"),
    ),
    *(("2026-12-31T23:59:60Z", "is not ISO 8601"), ("28.11.2026 10:00:00", "is not ISO 8601"), ("nan", "is not ISO 8601")),
]
