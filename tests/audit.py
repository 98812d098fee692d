"""`make audit`: asks PyPI, by pip-audit, for known vulnerabilities of the versions in constraints.txt.

Exit codes: 0 none is known, 1 there are some, 2 it could not be found out, for all packages or for some.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PINS = Path(__file__).resolve().parents[1] / "constraints.txt"
AUDIT_SECONDS = 300
NONE_KNOWN, VULNERABLE, UNKNOWN = 0, 1, 2
_EXAMPLES = 3


def main(arguments: Sequence[str]) -> int:
    """Audit with the pip-audit that is named; return the exit code."""
    (pip_audit,) = arguments
    command = [pip_audit, "--requirement", str(PINS), "--disable-pip", "--no-deps", "--format=json", "--progress-spinner=off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False)
        dependencies = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError) as error:
        reason = _last_line(done.stderr) if isinstance(error, ValueError) else f"no answer within {AUDIT_SECONDS} s"
        print(f"audit: the vulnerability service cannot be reached: {reason}", file=sys.stderr)
        return UNKNOWN
    code, lines = judge(dependencies)
    print("\n".join(f"audit: {line}" for line in lines), file=sys.stderr if code else sys.stdout)
    return code


def judge(dependencies: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return the exit code for pip-audit's report, and what to say."""
    vulnerable = [one for one in dependencies if one.get("vulns")]
    skipped = [one for one in dependencies if "skip_reason" in one]
    lines = [_describe(one, vulnerability) for one in vulnerable for vulnerability in one["vulns"]]
    if vulnerable:
        lines.append("raise these in constraints.txt, and in pyproject.toml if its ranges exclude the fixed versions")
    if skipped:
        examples = "; ".join(str(one["skip_reason"]) for one in skipped[:_EXAMPLES])
        lines.append(f"{len(skipped)} of {len(dependencies)} packages could not be looked up: {examples}")
        if len(skipped) == len(dependencies):
            lines.append("what answers may be a mirror of PyPI that does not serve its vulnerabilities")
    if not lines:
        lines = [f"no vulnerability is known of {len(dependencies)} packages"]
    return (VULNERABLE if vulnerable else UNKNOWN if skipped or not dependencies else NONE_KNOWN), lines


def _describe(package: dict[str, Any], vulnerability: dict[str, Any]) -> str:
    names = ", ".join([vulnerability["id"], *vulnerability.get("aliases", ())])
    fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
    return f"{package['name']} {package['version']}: {names}; fixed in {fixed}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:300] if lines else "pip-audit said nothing"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
