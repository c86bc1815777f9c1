"""House rules that a machine can check: what pure code may use, how long functions and files are, what nobody names."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "mqctl").rglob("*.py"))
PURE = (
    *("model.py", "errors.py", "target.py", "topics.py", "application.py", "generators.py", "durations.py"),
    *("protocols/", "broker/", "views/", "measurement/", "experiments/"),
)
FUNCTION_LINES_MAX = 50
MODULE_LINES_MAX = 400
BANNED_IN_PURE = {
    *("rich.live", "rich.console", "random.random", "random.randint", "random.choice", "random.uniform"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "os.environ", "sys.stdout", "sys.stdin", "builtins.open"),
}
# The brackets keep this file from finding itself.
REGISTRY_HOST = re.compile("|".join((r"py[p]i\.org", "pythonho[s]ted", r"registry\.np[m]js", r"repo1?\.mave[n]")))
SKIP = re.compile(r"pytest\.(mark\.)?(s[k]ip|importors[k]ip)|\bs[k]ipTest\b|unittest\.s[k]ip")


def name(module: Path) -> str:
    return module.relative_to(ROOT / "mqctl").as_posix()


def dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{dotted(value)}.{attr}"
        case _:
            return ""


def uses(tree: ast.Module) -> set[str]:
    """Everything that a module names by its full dotted path, as far as its imports tell."""
    alias: dict[str, str] = {"open": "builtins.open"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            alias |= {(each.asname or each.name): each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            alias |= {(each.asname or each.name): f"{node.module}.{each.name}" for each in node.names}
    found = set(alias.values()) - {"builtins.open"}
    found |= {value.rpartition(".")[0] for value in alias.values()}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Attribute, ast.Name)):
            first, _, rest = dotted(node).partition(".")
            if first in alias:
                found.add(f"{alias[first]}.{rest}" if rest else alias[first])
                if first == "open" and isinstance(node, ast.Name):
                    found.add("builtins.open")
    return found


@pytest.mark.parametrize("module", [each for each in MODULES if name(each).startswith(PURE)], ids=name)
def test_pure_code_asks_nobody_for_time_chance_or_files(module):
    assert not uses(ast.parse(module.read_text())) & BANNED_IN_PURE


def test_the_search_for_banned_names_finds_them():
    tree = ast.parse("import random\nfrom datetime import datetime as d\nrandom.random()\nd.now()\nopen('x')")
    assert {"random.random", "datetime.datetime.now", "builtins.open"} <= uses(tree)


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_functions_and_modules_fit_the_eye(module):
    source = module.read_text()
    assert source.count("\n") <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("module", [each for each in MODULES if not name(each).startswith("cli/")], ids=name)
def test_only_the_command_line_prints(module):
    calls = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    assert not [call for call in calls if dotted(call.func) == "print"]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / path for path in listed.split("\0") if path and (ROOT / path).is_file()]


def test_no_file_names_the_host_of_a_package_registry():
    for path in tracked():
        text = path.read_bytes().decode(errors="replace")
        assert not REGISTRY_HOST.search(text), path


def test_no_case_is_skipped_but_for_what_the_machine_lacks():
    """What cannot be is no case: a skipped one looks the same whether it was not run or could not be."""
    skipping = {
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if path.suffix == ".py" and SKIP.search(path.read_text())
    }
    assert skipping == {"tests/brokers/require.py", "tests/unit/adapters/test_stream.py"}


def test_every_locked_requirement_has_a_hash():
    for lock in (ROOT / "requirements").glob("*.txt"):
        for requirement in re.split(r"\n(?=\S)", lock.read_text().strip()):
            assert "--hash=sha256:" in requirement, requirement[:80]


def test_the_version_is_one():
    from mqctl import __version__

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
