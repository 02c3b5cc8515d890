# SPDX-License-Identifier: Apache-2.0
"""Every fault in the RTL is caught, by a rung that runs the RTL.

`pytest tests/sabotage --sabotage-seed 7` draws other places than CI does.
"""

import re
import shutil

import onnx
import pytest

import hwgq.cli
from hwgq.compile import compile_network, verify
from hwgq.compile.build_folder import load_build
from hwgq.compile.graph import Fifo
from hwgq.compile.simulate_rtl import Watch, core_simulator
from hwgq.storage import read_json
from tests.compile.images import images
from tests.compile.onnx_nets import Chain
from tests.sabotage import faults

TIMES = 3
IMAGES = (
    faults.weight_bit,
    faults.threshold,
    faults.swapped_lanes,
    faults.dropped_beat,
    faults.wrong_pad,
    faults.wrong_window,
)
LANES = 4


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory):
    """Compile a network with padded windows, an overlapping pooling and converters."""
    around = [1, 1, 1, 1]
    chain = images(rows=8, columns=8).conv(6, 3, 3, pads=around).norm(6).quant(2)
    chain.pool(3, strides=[2, 2], pads=around).conv(4, 6, 3, pads=around).norm(4)
    chain.quant(2).node("Flatten").linear(5, 64)
    return compiled(chain.model(), tmp_path_factory.mktemp("images"), fps=100_000)


@pytest.fixture(scope="module")
def queued(tmp_path_factory):
    """Compile a network with a FIFO before each layer but the first."""
    folder = tmp_path_factory.mktemp("queued")
    chain = Chain(32, batch="frames").annotate("UINT2")
    for _ in range(4):
        chain.linear(32, 32).norm(32).quant(2)
    pins = "".join(
        f'[layers."{name}"]\npe = {LANES}\nsimd = {LANES}\n'
        for name in [n.output[0] for n in chain.nodes if n.op_type == "Quant"]
        + [chain.linear(8, 32).tensor]
    )
    (folder / "folding.toml").write_text(f"format = 1\n{pins}")
    return compiled(chain.model(), folder, folding=folder / "folding.toml")


def compiled(model, folder, **options):
    onnx.save(model, folder / "network.onnx")
    network, out = folder / "network.onnx", folder / "build"
    build = compile_network(network, "ulx3s-85f", out=out, **options)
    assert not any(rung.mismatches for rung in verify(build).rungs)
    return build


def hold_caught(build, fault):
    """Expect `verify` to refuse the build, and the RTL to be what it refuses."""
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main(["verify", str(build)])
    message = str(left.value.code)
    where = r"rtl|rtl, stalled|boundary, rtl"
    known = rf"({where}), .*: expected|hwgq_\w+: stopped at cycle|verilator: .*\.sv"
    assert re.match(known, message), (fault, message)
    if re.match(where, message):
        rows = read_json(build / "verify.json")["rungs"]
        wrong = {row["rung"] for row in rows if row["mismatches"]}
        assert wrong, fault
        assert wrong <= {"rtl", "rtl, stalled", "boundary, rtl"}, fault


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("fault", IMAGES, ids=lambda fault: fault.__name__)
def test_a_fault_is_caught(fault, time, convolutional, tmp_path, rng):
    build = shutil.copytree(convolutional, tmp_path / "build")
    state = rng.bit_generator.state
    what = fault(rng, build)
    if fault is faults.threshold:
        rng.bit_generator.state = state
        if faults.threshold_is_equivalent(rng, convolutional):
            assert not any(rung.mismatches for rung in verify(build).rungs), what
            return
    hold_caught(build, what)


@pytest.mark.parametrize("time", range(TIMES))
def test_a_shallow_fifo_is_caught(time, queued, tmp_path, rng):
    fifos = [n for n in load_build(queued).graph.layers if isinstance(n, Fifo)]
    assert len(fifos) >= TIMES
    build = shutil.copytree(queued, tmp_path / "build")
    hold_caught(build, faults.shallow_fifo(rng, build))


@pytest.mark.parametrize("time", range(TIMES))
def test_a_simulator_of_something_else_is_not_run(time, queued, tmp_path, rng, capsys):
    broken = shutil.copytree(queued, tmp_path / "build")
    what = faults.swapped_lanes(rng, broken)
    right, wrong = (simulator_of(build) for build in (queued, broken))
    shutil.copy(wrong, right)
    assert not any(rung.mismatches for rung in verify(queued).rungs), what
    assert f"{right} is a simulator of something else" in capsys.readouterr().err


def simulator_of(build):
    whole = load_build(build)
    return core_simulator(
        whole.graph, whole.rtl, watch=Watch.BEATS, trace=False
    ).executable
