# SPDX-License-Identifier: Apache-2.0
"""Faults in the RTL of a build, each at a place that a random generator draws.

A fault changes files of the folder `rtl` and nothing else: the graph, and with it
emulation, stay right. It returns what it did, for the message of a test that fails.
"""

import dataclasses
import re

import numpy as np

from hwgq.compile.boundary import boundary_vectors, isolate
from hwgq.compile.build_folder import load_build
from hwgq.compile.emulate import emulate
from hwgq.compile.graph import Fifo, Mvau, SlidingWindow, Vvau
from hwgq.compile.netlist import core_map

CORE = "rtl/hwgq_core.sv"


def weight_bit(rng, build):
    """Flip one bit of a weight in a memory image."""
    number, _ = _draw(rng, build, Mvau, Vvau)
    path = build / "rtl" / f"w{number}.hex"
    width = _parameter(build, number, "SIMD") * _parameter(build, number, "PE")
    bit = int(rng.integers(width * _parameter(build, number, "WEIGHT_BITS")))
    words = path.read_text().split()
    word = int(rng.integers(len(words)))
    _write_word(path, word, int(words[word], 16) ^ 1 << bit)
    return f"{path.name}, word {word}, bit {bit}"


def threshold(rng, build):
    """Move a threshold by one in a memory image."""
    number, layer, place, step = _threshold_place(rng, build)
    path = build / "rtl" / f"p{number}.hex"
    bits = _parameter(build, number, "ACC_BITS")
    word, field = divmod(place, layer.pe * _parameter(build, number, "STEPS"))
    old = int(path.read_text().split()[word], 16)
    value = (old >> field * bits & (1 << bits) - 1) + step
    mask = (1 << bits) - 1 << field * bits
    _write_word(path, word, old & ~mask | value << field * bits)
    return f"{path.name}, word {word}, field {field}: {step:+d}"


def threshold_is_equivalent(rng, build):
    """Tell whether nothing tells the threshold that `threshold` moves from before.

    The compiler's own boundary vectors meet every side of a threshold that any input
    can reach.
    """
    graph = load_build(build).graph
    _, layer, place, step = _threshold_place(rng, build)
    thresholds = graph.tensors[layer.thresholds].copy()
    thresholds.reshape(-1)[place] += step
    alone, codes = isolate(graph, layer), boundary_vectors(graph, layer)
    moved, key = alone.with_tensor(thresholds)
    changed = dataclasses.replace(layer, thresholds=key)
    right, wrong = (
        emulate(each, codes)[alone.output]
        for each in (alone, moved.with_layers({layer.name: changed}))
    )
    return np.array_equal(right, wrong)


def _threshold_place(rng, build):
    """Draw a threshold, its place among all of its layer's, and which way it moves."""
    layers = load_build(build).graph.layers
    able = [
        (i, n)
        for i, n in enumerate(layers)
        if isinstance(n, Mvau | Vvau) and n.thresholds is not None
    ]
    number, layer = able[rng.integers(len(able))]
    values = load_build(build).graph.tensors[layer.thresholds].reshape(-1)
    place = int(rng.integers(len(values)))
    highest = (1 << _parameter(build, number, "ACC_BITS")) - 1
    ways = [s for s in (-1, 1) if 0 <= values[place] + s <= highest]
    return number, layer, place, int(rng.choice(ways))


def swapped_lanes(rng, build):
    """Exchange two elements of the beats that a layer reads."""
    graph = load_build(build).graph
    able = [
        (i, n)
        for i, n in enumerate(graph.layers)
        if graph.streams[n.inputs[0]].beat > 1
    ]
    number, layer = able[rng.integers(len(able))]
    source = graph.streams[layer.inputs[0]]
    one, other = sorted(map(int, rng.choice(source.beat, 2, replace=False)))
    stream = core_map(graph)[source.name]
    moves = "".join(
        f"    swapped[{b * source.beat + a}] = s{stream}_data[{b * source.beat + c}];\n"
        for b in range(source.type.bits)
        for a, c in ((one, other), (other, one))
    )
    _change_instance(
        build,
        number,
        f".in_data_i(s{stream}_data)",
        ".in_data_i(swapped)",
        f"  logic [{source.width - 1}:0] swapped;\n  always_comb begin\n"
        f"    swapped = s{stream}_data;\n{moves}  end\n",
    )
    return f"{layer.name} reads elements {one} and {other} of a beat for each other"


def dropped_beat(rng, build):
    """Take a beat from one layer and never give it to the next."""
    graph = load_build(build).graph
    number = int(rng.integers(1, len(graph.layers)))
    source = graph.streams[graph.layers[number].inputs[0]]
    lost = int(rng.integers(2 * source.beats))
    stream = f"s{core_map(graph)[source.name]}"
    _change_instance(
        build, number, f".in_valid_i({stream}_valid)", ".in_valid_i(given)"
    )
    _change_instance(
        build,
        number,
        f".in_ready_o({stream}_ready)",
        ".in_ready_o(taken)",
        "  logic given, taken, lost;\n  logic [31:0] beats_q;\n"
        f"  assign lost = beats_q == {lost};\n"
        f"  assign given = {stream}_valid && !lost;\n"
        f"  assign {stream}_ready = taken || lost;\n"
        "  always_ff @(posedge clk_i)\n"
        "    if (rst_i) beats_q <= '0;\n"
        f"    else if ({stream}_valid && {stream}_ready) beats_q <= beats_q + 1'b1;\n",
    )
    return f"beat {lost} to {graph.layers[number].name}"


def shallow_fifo(rng, build):
    """Make a FIFO one place too shallow."""
    number, layer = _draw(rng, build, Fifo)
    _set(build, number, "DEPTH", layer.depth - 1)
    return f"{layer.name} has {layer.depth - 1} places"


def wrong_pad(rng, build):
    """Pad one pixel more or less, or by another code."""
    number, layer = _draw(rng, build, SlidingWindow)
    name = str(rng.choice(["PT", "PL", "PAD_CODE"]))
    old = _parameter(build, number, name)
    new = old ^ 1 if name == "PAD_CODE" else old + int(rng.choice([-1, 1][old == 0 :]))
    _set(build, number, name, new)
    return f"{layer.name}: {name} is {new} instead of {old}"


def wrong_window(rng, build):
    """Let a window lie one pixel off: by its dilation, its stride or its positions."""
    number, layer = _draw(rng, build, SlidingWindow)
    name = str(rng.choice(["DH", "DW", "SH", "SW", "OH", "OW"]))
    old = _parameter(build, number, name)
    new = old + int(rng.choice([-1, 1][old == 1 :]))
    _set(build, number, name, new)
    return f"{layer.name}: {name} is {new} instead of {old}"


def _draw(rng, build, *kinds):
    layers = load_build(build).graph.layers
    able = [(i, n) for i, n in enumerate(layers) if isinstance(n, kinds)]
    return able[rng.integers(len(able))]


def _instance(build, number):
    """Find the text of the instance of a layer, its place in the core's."""
    text = (build / CORE).read_text()
    end = text.index(";", text.index(f") u_{number} ("))
    begin = text.rindex("// layer '", 0, end)
    return text, begin, end


def _parameter(build, number, name):
    text, begin, end = _instance(build, number)
    return int(re.search(rf"\.{name}\((\d+)\)", text[begin:end])[1])


def _set(build, number, name, value):
    text, begin, end = _instance(build, number)
    changed = re.sub(rf"\.{name}\(\d+\)", f".{name}({value})", text[begin:end])
    (build / CORE).write_text(text[:begin] + changed + text[end:])


def _change_instance(build, number, old, new, declared=""):
    text, begin, end = _instance(build, number)
    assert text[begin:end].count(old) == 1
    changed = declared + text[begin:end].replace(old, new)
    (build / CORE).write_text(text[:begin] + changed + text[end:])


def _write_word(path, index, value):
    words = path.read_text().split()
    words[index] = f"{value:0{len(words[index])}x}"
    path.write_text("\n".join(words) + "\n")
