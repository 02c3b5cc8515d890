# SPDX-License-Identifier: Apache-2.0
"""The stage `compile`: from a QONNX file to a build folder."""

import importlib.metadata
import importlib.resources
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np

from hwgq import boards
from hwgq.compile.build_folder import (
    AFTER,
    BEFORE,
    DATAFLOW,
    NETWORK,
    RTL,
    SAMPLES,
    SETTINGS,
    STAGES,
    TENSORS,
)
from hwgq.compile.graph import Mvau
from hwgq.compile.netlist import write_rtl
from hwgq.compile.onnx_file import load_network
from hwgq.compile.options import parse_input_type, read_pins
from hwgq.compile.pipeline import Request, State, run_passes
from hwgq.compile.schedule import initiation_interval, layer_cycles
from hwgq.compile.serialize import save_graph
from hwgq.compile.stages import Stages
from hwgq.errors import OptionError
from hwgq.stages import run_stage
from hwgq.storage import (
    locked,
    remove,
    sha256_bytes,
    sha256_file,
    write_bytes,
    write_toml,
)

BUILDS = Path("builds")
_SOURCES = ("compile", "hw_templates")
_PACKAGES = ("hwgq", "finn-plus", "qonnx", "onnx", "numpy")


def compile_network(
    network: Path,
    board: str,
    *,
    out: Path | None = None,
    input_type: str | None = None,
    input_scale: str | None = None,
    folding: Path | None = None,
    fps: float | None = None,
    clock_mhz: float | None = None,
    keep_stages: bool = False,
    exchangeable: bool = False,
) -> Path:
    """Compile a QONNX network to SystemVerilog for a board.

    Parameters
    ----------
    network
        QONNX file. Beside a run's ``network.onnx``, ``samples.npz`` comes along, for
        `verify`.
    board
        Name of a board.
    out
        Build folder; by default ``builds/NAME-BOARD``.
    input_type, input_scale
        Integers that the network gets, such as ``UINT8``, and the real number of the
        integer 1, such as ``1/255``, where the file does not say it.
    folding
        TOML file that pins PE and SIMD of layers.
    fps
        Frames/s to reach; by default the fastest that fits.
    clock_mhz
        Clock of the core, in MHz, instead of the board's.
    keep_stages
        Whether to keep FINN's graph behind each of its steps.
    exchangeable
        Whether to put all weights and parameters into block RAM, at widths that do for
        any, so that a retrained network of the same shape may reuse the routing.

    Returns
    -------
    Path
        The build folder.

    Raises
    ------
    NetworkError, UnsupportedLayerError
        If the file is no network, or a node of it cannot be mapped.
    FoldingError
        If a folding is illegal or impossible.
    OptionError, BoardError, StorageError
        If an option is wrong, or something cannot be written.
    """
    chosen = boards.load(board)
    for option, value in (("--fps", fps), ("--clock-mhz", clock_mhz)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise OptionError(option, f"is {value}", "Give a positive number")
    if input_type is not None:
        parse_input_type(input_type, input_scale, "--input-type")
    request = Request(
        board=chosen,
        clock_mhz=clock_mhz or chosen.clock.core_mhz,
        fps=fps,
        pins=read_pins(folding),
        input_type=input_type,
        input_scale=input_scale,
        exchangeable=exchangeable,
    )
    model = load_network(network)
    folder = out or BUILDS / f"{_stem(network)}-{chosen.name}"
    samples = _samples_beside(network)
    inputs = {
        "network": sha256_file(network),
        "samples": sha256_file(samples) if samples else "",
        "request": sha256_bytes(repr(request).encode()),
        "keep_stages": str(keep_stages),
        **versions(),
    }
    outputs = [folder / n for n in (SETTINGS, NETWORK, DATAFLOW, TENSORS, RTL, AFTER)]

    def work() -> None:
        stages = Stages(keep_graphs=keep_stages)
        state = run_passes(State(request=request, model=model), stages.observe)
        # Without settings a folder is no build: a kill leaves none made of two halves.
        for name in (SETTINGS, STAGES, TENSORS, RTL, BEFORE):
            remove(folder / name)
        for name, data in stages.files.items():
            write_bytes(folder / STAGES / name, data)
        _write(folder, network, state)

    with locked(folder):
        run_stage(folder, "compile", inputs=inputs, outputs=outputs, work=work)
    return folder


def versions() -> dict[str, str]:
    """Give the versions of all that a build depends on."""
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {**found, "python": platform.python_version(), "source": _source_hash()}


def _source_hash() -> str:
    """Hash compiler and templates: in a checkout they change under one version."""
    parts = (importlib.resources.files(f"hwgq.{name}") for name in _SOURCES)
    files = sorted(f for p in parts for f in Path(str(p)).rglob("*.[ps][yv]"))
    return sha256_bytes("".join(map(sha256_file, files)).encode())[:16]


def _samples_beside(network: Path) -> Path | None:
    """Find the samples of a run folder's network."""
    samples = network.with_name(SAMPLES)
    return samples if network.name == NETWORK and samples.exists() else None


def _stem(network: Path) -> str:
    """Name a build after its network: the run's name, or the file's."""
    name = network.parent.name if network.stem == "network" else network.stem
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-") or "network"


def _write(folder: Path, network: Path, state: State) -> None:
    graph = state.graph
    write_bytes(folder / NETWORK, network.read_bytes())
    if samples := _samples_beside(network):
        write_bytes(folder / SAMPLES, samples.read_bytes())
    else:
        remove(folder / SAMPLES)
    if state.network.before is not None:
        data = state.network.before.model.SerializeToString(deterministic=True)
        write_bytes(folder / BEFORE, data)
    after = state.network.after.model.SerializeToString(deterministic=True)
    write_bytes(folder / AFTER, after)
    save_graph(graph, folder / DATAFLOW, folder / TENSORS)
    write_rtl(graph, folder / RTL)
    write_toml(folder / SETTINGS, _settings(folder, state))


def _settings(folder: Path, state: State) -> dict[str, Any]:
    request, graph = state.request, state.graph
    layers = [n for n in graph.layers if isinstance(n, Mvau)]
    settings: dict[str, Any] = {
        "name": folder.name,
        "board": request.board.name,
        "clock_mhz": request.clock_mhz,
        "seed": 1,
        "exchangeable": request.exchangeable,
        "input": {
            "shape": list(state.network.input_shape),
            "host_part": state.network.before is not None,
        },
        "estimates": {
            "cycles_per_frame": initiation_interval(graph),
            "lanes": sum(n.pe * n.simd for n in layers),
        },
        "layers": {
            n.name: {"pe": n.pe, "simd": n.simd, "cycles": layer_cycles(graph, n)}
            for n in layers
        },
        "hashes": {
            name: sha256_file(folder / name)
            for name in (NETWORK, DATAFLOW, BEFORE, AFTER)
            if (folder / name).exists()
        },
        "versions": versions(),
    }
    for option in ("input_type", "input_scale"):
        if (value := getattr(request, option)) is not None:
            settings["input"][option] = value
    return settings
