# SPDX-License-Identifier: Apache-2.0
"""What is done is not done again; what was broken off is taken up again."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hwgq.storage import locked
from tests.end_to_end.command import refused, run, tree
from tests.end_to_end.hand_made import make_network, save


def compile_(folder: Path, *options: str | Path) -> dict[str, str]:
    """Compile the network of a folder; return what is in the build."""
    network, build = folder / "network.onnx", folder / "build"
    run("compile", network, "--board", "icebreaker", "--out", build, *options)
    return tree(build)


def test_compile_runs_again_only_where_something_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ran(*options: str | Path) -> tuple[bool, dict[str, str]]:
        files = compile_(tmp_path, *options)
        return "compile: up to date" not in capsys.readouterr().err, files

    save(make_network(), tmp_path / "network.onnx")
    again, first = ran()
    assert again
    assert ran() == (False, first)
    again, slower = ran("--fps", "1000")
    assert again
    assert slower != first
    assert ran() == (True, first)
    # Whatever is missing or damaged is made again.
    for name in ("build.toml", "dataflow.json", "rtl/w0.hex", "rtl/hwgq_core.sv"):
        (tmp_path / "build" / name).unlink()
        assert ran() == (True, first)
    for path in (tmp_path / "build" / "tensors").glob("*.npy"):
        path.write_bytes(b"damaged")
    assert ran() == (True, first)
    save(make_network(seed=1), tmp_path / "network.onnx")
    again, other = ran()
    assert again
    assert other != first


def test_simulation_and_verification_give_the_same_again(build: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 16, (50, 16))
    np.save(build.parent / "x.npy", frames)
    seen = set()
    for name, *engine in (
        ("a.npy",),
        ("b.npy",),
        ("c.npy", "--engine", "rtl"),
        ("d.npy", "--engine", "rtl", "--stalls", "3"),
    ):
        outputs = build.parent / name
        run(
            "simulate",
            build,
            "--inputs",
            build.parent / "x.npy",
            *engine,
            "--outputs",
            outputs,
        )
        seen.add(outputs.read_bytes())
    assert len(seen) == 1


def test_a_build_that_is_being_written_is_left_alone(build: Path) -> None:
    network = build / "network.onnx"
    with locked(build):
        message = refused(
            build, "compile", network, "--board", "icebreaker", "--out", build
        )
    assert re.match(rf"{build}: is being written\. Wait", message)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_compilation_that_is_broken_off_is_taken_up_again(
    how: signal.Signals, tmp_path: Path
) -> None:
    save(make_network(), tmp_path / "network.onnx")
    build = tmp_path / "build"
    command = [sys.executable, "-m", "hwgq", "compile", str(tmp_path / "network.onnx")]
    with subprocess.Popen(
        [*command, "--board", "icebreaker", "--out", str(build)],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not (build / ".lock").exists():
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(0.5)
        process.send_signal(how)
        _, err = process.communicate()
    # Where Ctrl-C meets code that a library runs from text, Python cleans up and then
    # ends by the signal itself, which shells count as 130, too.
    assert process.returncode in ({130, -how} if how == signal.SIGINT else {-how})
    assert "Traceback" not in err
    left = tree(build) if build.exists() else {}
    assert left == {}
    assert build.exists() == (how == signal.SIGKILL)
    assert "build.toml" in compile_(tmp_path)
