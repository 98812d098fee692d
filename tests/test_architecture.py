"""Imports go one way, by folder, and TensorFlow stays where it belongs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "stream_detector"
NAME = PACKAGE.name


#: From the inside out: a room, which is a folder or a module at the root, imports from the layers before its own only.
LAYERS = (
    "errors timestamps amounts",
    "logs files readings",
    "missing_values values places",
    "ingest state",
    "settings",
    "detection",
    "ports alert_view model checkup",
    "pipeline tables model_store built_in discovery rekey inspection",
    "adapters assembly service evaluation",
    "gate simulation",
    "training demo",
    "commands",
    "cli",
    "__main__",
)
LAYER_OF = {room: position for position, layer in enumerate(LAYERS) for room in layer.split()}
#: Pure rooms import none of these: no client library, no settings library, no TensorFlow, no clock, no thread.
PURE_ROOMS = {
    "errors",
    "timestamps",
    "readings",
    "missing_values",
    "values",
    "places",
    "ingest",
    "state",
    "detection",
    "ports",
    "pipeline",
    "rekey",
    "checkup",
    "inspection",
}
OUTSIDE_WORLD = {"tensorflow", "keras", "kafka", "redis", "prometheus_client", "pydantic", "pydantic_settings"}
OUTSIDE_WORLD |= {"os", "time", "random", "socket", "threading"}


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


def rooms_imported(path: Path) -> set[str]:
    """Return the rooms that a module imports from."""
    return {name.split(".")[1] for name in imports(path) if name.startswith(f"{NAME}.")}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_room_has_a_layer_and_every_layer_names_rooms_that_exist() -> None:
    rooms = {room_of(path) for path in modules()} - {"__init__"}

    assert rooms == set(LAYER_OF)


def test_the_page_of_the_architecture_has_the_same_layers() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("```layers\n")
    listed, _, _ = rest.partition("```")

    assert tuple(listed.splitlines()) == LAYERS


def test_rooms_import_from_the_layers_before_their_own_only() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {imported}"
        for path in modules()
        for imported in rooms_imported(path) - {room_of(path)}
        if path != PACKAGE / "__init__.py" and LAYER_OF[imported] >= LAYER_OF[room_of(path)]
    ]

    assert wrong == []


def test_the_package_itself_imports_no_room() -> None:
    assert rooms_imported(PACKAGE / "__init__.py") == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in modules()}
    waiting = {name: {other for other in imports(path) if other in names and other != name} for name, path in names.items()}
    while free := [name for name, needed in waiting.items() if not needed]:
        for name in free:
            del waiting[name]
        for needed in waiting.values():
            needed.difference_update(free)

    assert sorted(waiting) == []


def test_pure_rooms_know_neither_adapters_nor_model_nor_client_libraries_nor_clocks() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in modules()
        if room_of(path) in PURE_ROOMS
        for name in imports(path)
        if name.split(".")[0] in OUTSIDE_WORLD
    ]

    assert wrong == []


def test_adapters_of_brokers_and_stores_know_ports_and_settings_only() -> None:
    allowed = {"adapters", "settings"} | {room for room, layer in LAYER_OF.items() if layer <= LAYER_OF["ports"]} - {"model"}
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {imported}"
        for path in (PACKAGE / "adapters").rglob("*.py")
        for imported in rooms_imported(path) - allowed
        if (path.stem, imported) not in {("keras_scorer", "model"), ("keras_scorer", "model_store")}
    ]

    assert wrong == []


def test_only_model_training_and_the_scorer_import_tensorflow() -> None:
    wrong = [
        str(path.relative_to(PACKAGE))
        for path in modules()
        if {name.split(".")[0] for name in imports(path)} & {"tensorflow", "keras"}
        and room_of(path) not in {"model", "training"}
        and path.name != "keras_scorer.py"
    ]

    assert wrong == []


@pytest.mark.parametrize("library", ["kafka", "redis"])
def test_of_the_detector_only_adapters_import_the_client_libraries(library: str) -> None:
    users = {room_of(path) for path in modules() if library in {name.split(".")[0] for name in imports(path)}}

    assert users <= {"adapters", "simulation", "demo"}  # the last two are tools beside the detector


def test_what_needs_no_model_starts_without_tensorflow() -> None:
    needed = ["cli", "commands.simulate", "commands.watch", "detection.events", "pipeline.pipeline", "service.service"]
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
