# SPDX-License-Identifier: Apache-2.0
"""The wheel is whole, the halves stay apart, and the tree holds nothing foreign."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("train", "compile", "hw_templates", "boards")
SOURCES = (*PARTS, "src", "tests", "benchmarks", "docs", "examples", ".ci")
GENERATED = shutil.ignore_patterns(
    ".venv",
    ".git",
    "build",
    "dist",
    "runs",
    "builds",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
)


def run(*argv: str | Path, cwd: Path) -> str:
    """Run a program as a user would, without this test's environment."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        argv, cwd=cwd, env=env, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(*suffixes: str) -> Iterator[Path]:
    """Go through the project's own files of these suffixes; of all without any."""
    for part in SOURCES:
        for path in sorted((ROOT / part).rglob("*")):
            inside = path.relative_to(ROOT / part).parts
            own = not any(name.startswith((".", "__pycache__")) for name in inside)
            if own and path.is_file() and (path.suffix in suffixes or not suffixes):
                yield path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build a wheel from the tree, and one from the source distribution."""
    folder = tmp_path_factory.mktemp("wheel") / "tree"
    shutil.copytree(ROOT, folder, symlinks=True, ignore=GENERATED)
    build = (sys.executable, "-m", "build", "--outdir")
    run(*build, "from-tree", "--wheel", cwd=folder)
    run(*build, "from-sdist", cwd=folder)
    return {
        name: next((folder / name).glob("*.whl"))
        for name in ("from-tree", "from-sdist")
    }


@pytest.fixture(scope="module")
def installed(
    wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Install the wheel into an empty environment; its programs are the result.

    The dependencies come from this environment, whose own `.pth` files (one of them
    leads to this checkout) do not count there.
    """
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", ".", cwd=folder)
    programs = folder / "bin"
    pip = (sys.executable, "-m", "pip", "--python", programs / "python")
    wheel = wheels["from-sdist"]
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


@pytest.mark.parametrize("source", ["from-tree", "from-sdist"])
def test_a_wheel_holds_every_file_of_the_package(
    wheels: dict[str, Path], source: str
) -> None:
    expected = {
        str(path.relative_to(ROOT))
        for path in files()
        if path.relative_to(ROOT).parts[0] in PARTS
    }
    names = zipfile.ZipFile(wheels[source]).namelist()
    inside = (name.removeprefix("hwgq/") for name in names)
    assert {name for name in inside if name.split("/")[0] in PARTS} == expected
    assert "hwgq/py.typed" in names
    papers = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert papers == {"LICENSE", "NOTICE", "THIRD_PARTY.md"}


def test_the_installed_wheel_works(installed: Path, tmp_path: Path) -> None:
    where = "import hwgq.compile, hwgq.boards; print(hwgq.boards.__file__)"
    origin = run(installed / "python", "-c", where, cwd=tmp_path)
    assert Path(origin.strip()).is_relative_to(installed.parent)
    found = json.loads(run(installed / "hwgq", "boards", "--json", cwd=tmp_path))
    assert {"icebreaker", "ulx3s-85f"} <= {board["name"] for board in found["boards"]}
    assert "verify" in run(installed / "hwgq", "--help", cwd=tmp_path)


def test_tests_pass_on_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    for name in ("test_storage.py", "test_stages.py", "boards/test_board.py"):
        shutil.copy(ROOT / "tests" / name, tmp_path)
    run(
        installed / "python",
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        ".",
        cwd=tmp_path,
    )


def test_the_compiler_needs_neither_torch_nor_finn() -> None:
    modules = [
        "hwgq.boards",
        "hwgq.cli",
        "hwgq.compile",
        "hwgq.compile.emulate",
        "hwgq.compile.pipeline",
        "hwgq.doctor",
        "hwgq.hw_templates",
        "hwgq.run",
    ]
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    imported = set(run(sys.executable, "-c", code, cwd=ROOT).split())
    assert not imported & {"torch", "finn", "brevitas", "lightning", "matplotlib"}


@pytest.mark.parametrize(
    ("part", "foreign"),
    [
        ("train", {"compile", "hw_templates", "boards"}),
        ("compile", {"train"}),
        ("hw_templates", {"train", "compile", "boards"}),
        ("boards", {"train", "compile"}),
    ],
)
def test_dependencies_point_one_way(part: str, foreign: set[str]) -> None:
    for path in (ROOT / part).rglob("*.py"):
        for name in _imports(path):
            top, _, rest = name.partition(".")
            assert top not in PARTS, f"{path}: import hwgq.{name}"
            assert top != "hwgq" or rest.split(".")[0] not in foreign, f"{path}: {name}"


def test_no_part_is_imported_under_a_second_name() -> None:
    assert not set(PARTS) & set(sys.modules)


@pytest.mark.parametrize("suffix", [".py", ".sv", ".cpp", ".h", ".toml", ".sby"])
def test_a_source_file_names_its_licence_and_is_short(suffix: str) -> None:
    for path in files(suffix):
        lines = path.read_text().splitlines()
        assert "SPDX-License-Identifier: Apache-2.0" in "".join(lines[:2]), path
        assert len(lines) <= 300, path


def test_no_machine_and_no_registry_is_named() -> None:
    private = re.compile(
        r"/(?:work|root|home|opt|mnt|tmp)/\w|index-url|py" + r"pi\.org"
    )
    texts = [*files(), *(path for path in ROOT.iterdir() if path.is_file())]
    for path in texts:
        found = private.search(path.read_text(errors="replace"))
        assert found is None or path == Path(__file__), f"{path}: {found}"


def _imports(path: Path) -> Iterator[str]:
    """Go through the modules that a file imports anywhere, as `hwgq.x.y`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
