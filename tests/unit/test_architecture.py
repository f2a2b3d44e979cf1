"""The arrows of the design hold, and what must not be in the repository is not in it.

The rules are read against every file there is: a new technique, chart or panel is covered by being there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest
import repository
from repository import ROOT

LONGEST_FUNCTION = 80  # lines
ENTRY = "workbench"  # the package's own file: its names are loaded lazily, from everywhere
FRONT = ("charts", "live", "panels", "magics", "course", "labextension")  # each knows those before it at most
# who may import what, anywhere in a file; what is not named here is not restricted
ONLY_IN = {
    "IPython": ("magics",),
    "ipykernel": ("magics",),
    "ipywidgets": ("panels", "live"),
    "anywidget": ("panels", "live"),
    "traitlets": ("panels", "live", "magics"),
    "altair": ("charts", "live"),
    "vl_convert": ("charts", "live"),
}
HEAVY = ("torch", "torchvision", "torch_pruning", "numpy", "onnx", "onnxruntime", "onnxscript", "safetensors")
HEAVY += ("constriction", "yaml", *ONLY_IN)
# modules that a notebook loads before it has a model: heavy imports stay inside their functions
LIGHT = ("options", "technique", "recipe", "job", "errors", "techniques", "magics")
TECHNIQUES_KNOW = {
    "technique",
    "options",
    "errors",
    "job",
    "constraints",
    "candidate",
    "schedule",
    "activations",
    "layers",
    "algorithms",
    "training",
    "exploration",
}
UNPICKLING = re.compile(r"\b(pickle|dill|joblib|cloudpickle|shelve)\b|weights_only=False")
# built from parts, so that this file does not contain what it looks for
MACHINE_PATHS = re.compile("|".join(["/wo" + "rk/", "/ro" + "ot/", "/ho" + r"me/(?!jovyan)"]))
REGISTRIES = re.compile("|".join(["py" + r"pi\.org", "pythonho" + r"sted\.org", "registry\\.npm" + r"js"]))
SHARED = ".." + "/shared"


class Import(NamedTuple):
    """One imported module, and whether it is imported as the file is."""

    module: str
    is_at_top: bool
    line: int

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def is_own(self) -> bool:
        return self.top == "workbench"

    @property
    def part(self) -> str:
        """`techniques` for `workbench.techniques.quantize`; the empty text for the package itself."""
        return self.module.split(".")[1] if "." in self.module else ""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def known_modules() -> frozenset[str]:
    return frozenset(repository.name_of(path) for path in repository.modules())


def names(node: ast.AST, package: str) -> list[str]:
    """The modules an import statement names: `from workbench import recipe` names both."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    module = ".".join([*base, *filter(None, [node.module])])
    inside = [f"{module}.{alias.name}" for alias in node.names if f"{module}.{alias.name}" in known_modules()]
    return inside or [module]


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


@cache
def imports(path: Path) -> list[Import]:
    """Everything a file imports when it runs; imports that only types need are left out."""
    name = repository.name_of(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def walk(node: ast.AST, is_at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            for module in names(child, package):
                yield Import(module, is_at_top, child.lineno)
            if is_for_types(child):
                continue
            in_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, is_at_top and not in_function)

    return list(walk(tree(path), True))


def part_of(path: Path) -> str:
    return Import(repository.name_of(path), True, 0).part


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def all_imports(*parts: str) -> Iterator[tuple[str, str, Import]]:
    """Where, from which part, and what is imported, over the whole package or some parts of it."""
    for path in repository.modules():
        part = part_of(path)
        if repository.name_of(path) == ENTRY or (parts and part not in parts):
            continue
        for each in imports(path):
            yield f"{where(path, each.line)} imports {each.module}", part, each


def test_front_ends_are_imported_only_where_they_belong():
    assert not [line for line, part, each in all_imports() if part not in ONLY_IN.get(each.top, (part,))]


def test_core_knows_no_front_end_and_each_front_only_those_before_it():
    def beyond(part: str) -> tuple[str, ...]:
        return FRONT[FRONT.index(part) + 1 :] if part in FRONT else FRONT

    assert not [line for line, part, each in all_imports() if each.is_own and each.part in beyond(part)]


def test_techniques_know_only_what_techniques_are_made_of():
    known = {*TECHNIQUES_KNOW, "techniques"}
    found = [line for line, _, each in all_imports("techniques") if each.is_own and each.part not in known]
    assert not found


def test_charts_and_live_know_no_torch():
    assert not [line for line, _, each in all_imports("charts", "live") if each.top.startswith("torch")]


def test_heavy_imports_stay_inside_functions_where_a_notebook_opens():
    assert not [line for line, _, each in all_imports(*LIGHT) if each.is_at_top and each.top in HEAVY]


def test_the_package_itself_imports_nothing_heavy_at_the_top():
    entry = imports(ROOT / "workbench" / "__init__.py")
    assert not [each for each in entry if each.is_at_top and not each.is_own and each.top in HEAVY]


def test_imports_make_no_circle():
    known = {repository.name_of(path): path for path in repository.modules()}
    graph = {
        name: {each.module for each in imports(path) if each.is_at_top and each.module in known}
        - {name, ENTRY}
        for name, path in known.items()
        if name != ENTRY
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_every_module_says_what_it_is_for():
    assert not [
        str(path.relative_to(ROOT)) for path in repository.modules() if not ast.get_docstring(tree(path))
    ]


def test_no_function_is_a_giant():
    giants = [
        f"{where(path, node.lineno)} {node.name}: {lines} lines"
        for path in repository.modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert not giants


def test_nothing_unpickles():
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in repository.modules()
        for match in UNPICKLING.finditer(ast.unparse(without_texts(tree(path))))
    ]
    assert not found


def test_torch_loads_weights_only():
    calls = [
        (where(path, node.lineno), {each.arg: ast.unparse(each.value) for each in node.keywords})
        for path in repository.modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert not [line for line, keywords in calls if keywords.get("weights_only") != "True"]


def without_texts(parsed: ast.Module) -> ast.Module:
    """The same code with its docstrings and other texts emptied: words about pickle are no pickle."""

    class Emptied(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.Constant("") if isinstance(node.value, str) else node

    return Emptied().visit(ast.parse(ast.unparse(parsed)))


def lines_of_texts() -> Iterator[tuple[Path, int, str]]:
    """Every line of every text file of the repository."""
    for path in repository.files():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            yield path, number, line


def test_no_file_names_this_machine_or_a_registry():
    found = [
        f"{where(path, number)}: {pattern.search(line).group()}"
        for path, number, line in lines_of_texts()
        for pattern in (MACHINE_PATHS, REGISTRIES)
        if pattern.search(line)
    ]
    assert not found


def test_only_ci_knows_what_lies_beside_the_checkout():
    found = {str(path.relative_to(ROOT)) for path, _, line in lines_of_texts() if SHARED in line}
    assert found <= {".ci/run"}
