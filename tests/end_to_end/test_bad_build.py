# SPDX-License-Identifier: Apache-2.0
"""Build folders that are damaged or put together wrongly are refused by name."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwgq.compile import compile_network
from hwgq.storage import read_json, write_json
from tests.end_to_end.command import refused, unsimulated
from tests.end_to_end.hand_made import make_network, save


def delete(build: Path, name: str) -> Path:
    path = next(iter(sorted(build.glob(name))))
    path.unlink()
    return path


def cut(build: Path, name: str) -> Path:
    path = next(iter(sorted(build.glob(name))))
    path.write_bytes(path.read_bytes()[:-9])
    return path


def flip(build: Path, name: str) -> Path:
    """Change the last byte."""
    path = next(iter(sorted(build.glob(name))))
    *data, last = path.read_bytes()
    path.write_bytes(bytes([*data, last ^ 1]))
    return path


PARTS = ("build.toml", "dataflow.json", "tensors/*.npy", "host_after.onnx")


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("spoil", [delete, cut])
def test_a_damaged_part_of_a_build_is_named(
    spoil: Callable[[Path, str], Path], name: str, build: Path
) -> None:
    part = spoil(build, name)
    message = unsimulated(build)
    assert str(part) in message or "is no build folder" in message
    assert str(build) in refused(build, "verify", build)


def test_a_changed_tensor_is_named(build: Path) -> None:
    part = flip(build, "tensors/*.npy")
    assert f"{part}: does not hold what its name says" in unsimulated(build)


def test_a_pickled_tensor_is_not_loaded(build: Path) -> None:
    path = next(build.glob("tensors/*.npy"))
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    assert f"{path}: cannot be read" in unsimulated(build)


@pytest.mark.parametrize("name", ["build.toml", "dataflow.json"])
def test_a_newer_format_is_named(name: str, build: Path) -> None:
    path = build / name
    text = re.sub(r'(format"?\s*[:=]\s*)1', r"\g<1>2", path.read_text(), count=1)
    path.write_text(text)
    assert re.search(f"{name}: has format 2, hwgq .* reads 1", unsimulated(build))


@pytest.mark.parametrize("lost", ["input", "board", "clock_mhz"])
def test_settings_that_lack_something_are_named(lost: str, build: Path) -> None:
    path = build / "build.toml"
    text = re.sub(rf"^(\[)?{lost}\b", r"\1x", path.read_text(), flags=re.MULTILINE)
    path.write_text(text)
    assert str(path) in refused(build, "verify", build)


@pytest.mark.parametrize("name", ["network.onnx", "dataflow.json", "host_after.onnx"])
def test_a_part_from_another_build_is_named(
    name: str, build: Path, tmp_path: Path
) -> None:
    network = save(make_network((16, 6, 4)), tmp_path / "other.onnx")
    other = compile_network(network, "icebreaker", out=tmp_path / "other")
    shutil.copy(other / name, build)
    for tensor in other.glob("tensors/*"):
        shutil.copy(tensor, build / "tensors")
    assert f"{build / name}: is not what `hwgq compile` wrote" in unsimulated(build)


DATAFLOWS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no layers": lambda table: table.pop("layers"),
    "no kind": lambda table: table["layers"][0].pop("kind"),
    "unknown kind": lambda table: table["layers"][0].update(kind="os"),
    "number": lambda table: table.update(streams=5),
    "path of a tensor": lambda table: table["tensors"].update({"../../x": {}}),
    "edited": lambda table: table["layers"][0].update(rows=13),
}


@pytest.mark.parametrize("name", DATAFLOWS)
def test_a_dataflow_that_is_none_is_named(name: str, build: Path) -> None:
    table = read_json(build / "dataflow.json")
    DATAFLOWS[name](table)
    write_json(build / "dataflow.json", table)
    assert str(build) in unsimulated(build)


SOURCES = {
    "missing": (None, "is no folder of generated RTL"),
    "no text": (b"\xff\xfe", "is no folder of generated RTL"),
    "missing source": (b"none.sv", "lacks the source 'none.sv'"),
    "path": (b"../../../etc/passwd", "lacks the source '../../../etc/passwd'"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_list_of_sources_that_is_wrong_is_named(name: str, build: Path) -> None:
    text, problem = SOURCES[name]
    if text is None:
        (build / "rtl" / "files.txt").unlink()
    else:
        (build / "rtl" / "files.txt").write_bytes(text)
    assert f"{build / 'rtl'}: {problem}" in unsimulated(build, "--engine", "rtl")


@pytest.mark.parametrize("seed", [-1, 2**32, 2**70])
def test_a_seed_of_stalls_out_of_range_is_named(seed: int, build: Path) -> None:
    message = unsimulated(build, "--engine", "rtl", "--stalls", str(seed))
    assert message.startswith(f"--stalls: is {seed}. ")


def test_a_memory_image_that_is_missing_is_named(build: Path) -> None:
    (build / "rtl" / "w0.hex").unlink()
    assert "w0.hex" in unsimulated(build, "--engine", "rtl")


def test_a_waveform_that_cannot_be_written_is_named(build: Path) -> None:
    trace = build.parent / "x.npy" / "trace.fst"
    message = unsimulated(build, "--engine", "rtl", "--trace", trace)
    assert message.startswith(f"{trace}: cannot be written")
