"""Imports go one way, and TensorFlow stays where it belongs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "stream_detector"
NAME = PACKAGE.name

#: From the inside out: a module imports from its own layer and from those before it.
LAYERS = (
    (
        "core",
        "errors readings spec explanation sensor_table calibration budgets state whole_numbers stored_form compact expand "
        "scales arena decision open_incidents wire events",
    ),
    ("ports", "ports reports outages"),
    ("pipeline", "detector counting remainder dead_letters persistence keeper restore_plan restore assignment pipeline"),
    ("service", "settings settings_errors settings_sources rules metrics logs reload alarm_rate refusals service"),
    ("commands", "commands cli __main__"),
)
CORE_AND_PORTS = frozenset(f"{LAYERS[0][1]} {LAYERS[1][1]}".split())
LAYER_OF = {module: position for position, (_, modules) in enumerate(LAYERS) for module in modules.split()}
OUTSIDE_WORLD = {"tensorflow", "keras", "kafka", "redis", "prometheus_client", "pydantic", "pydantic_settings"}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield node.module


def own_imports(path: Path) -> set[str]:
    """Return the first names below the package that a module imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith(f"{NAME}.")}


def top(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_layers_import_inwards_only() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {imported}"
        for path in modules()
        for imported in own_imports(path)
        if LAYER_OF.get(imported, -1) > LAYER_OF.get(top(path), len(LAYERS))
    ]

    assert wrong == []


def test_every_module_of_the_layers_exists() -> None:
    assert [name for name in LAYER_OF if not (PACKAGE / name).is_dir() and not (PACKAGE / f"{name}.py").is_file()] == []


def test_core_and_pipeline_know_neither_adapters_nor_model_nor_client_libraries() -> None:
    inner = {name for name, layer in LAYER_OF.items() if layer <= 2}
    outside = OUTSIDE_WORLD | {"os", "time", "random", "socket", "threading"}
    wrong = [
        f"{path.name} imports {name}"
        for path in modules()
        if top(path) in inner
        for name in imports(path)
        if name.split(".")[0] in outside or name.startswith((f"{NAME}.adapters", f"{NAME}.model"))
    ]

    assert wrong == []


def test_adapters_know_core_ports_and_settings_only() -> None:
    allowed = CORE_AND_PORTS | {"adapters", "settings"}
    wrong = [
        f"{path.name} imports {imported}"
        for path in (PACKAGE / "adapters").glob("*.py")
        for imported in own_imports(path) - allowed
        if (path.stem, imported) != ("keras_scorer", "model")
    ]

    assert wrong == []


def test_only_the_model_and_its_scorer_import_tensorflow() -> None:
    wrong = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if {name.split(".")[0] for name in imports(path)} & {"tensorflow", "keras"}
        and top(path) != "model"
        and path.name != "keras_scorer.py"
    ]

    assert wrong == []


@pytest.mark.parametrize("library", ["kafka", "redis"])
def test_of_the_detector_only_adapters_import_the_client_libraries(library: str) -> None:
    users = {top(path) for path in modules() if library in {name.split(".")[0] for name in imports(path)}}

    assert users <= {"adapters", "simulation", "demo"}  # the last two are tools beside the detector


def test_what_needs_no_model_starts_without_tensorflow() -> None:
    needed = [
        "cli",
        "commands.simulate",
        "commands.watch",
        "events",
        "pipeline",
        "service",
        "adapters.memory_source",
        "adapters.memory_sink",
    ]
    imported = "; ".join(f"import {NAME}.{module}" for module in needed)
    script = f"import sys; {imported}; print(*sorted({{'tensorflow', 'keras'}} & sys.modules.keys()))"

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)

    assert run.stdout.strip() == ""


def test_every_module_says_what_it_is_and_postpones_annotations() -> None:
    lacking = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
        if not (ast.get_docstring(tree) and postponed):
            lacking.append(str(path.relative_to(PACKAGE)))

    assert lacking == []
