# SPDX-License-Identifier: Apache-2.0
"""Draw what CNV is behind four of the compiler's passes: `make docs`."""

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hwgq import boards
from hwgq.compile.graph import (
    Fifo,
    Graph,
    Layer,
    Mvau,
    Pool,
    SlidingWindow,
    WidthConverter,
)
from hwgq.compile.onnx_file import load_network
from hwgq.compile.pipeline import Request, State, run_passes

NETWORK = Path(__file__).parents[1] / "train" / "shipped" / "cifar10-cnv"
BOARD = "ulx3s-85f"
FRAMES_PER_SECOND = 100

Node = tuple[str, str]
"""What a box says, and its kind, which is its colour."""

_COLOURS = {
    "product": "#7fa6d9",
    "window": "#b7d7a8",
    "pool": "#93c47d",
    "quantizer": "#f6b26b",
    "glue": "#d9d9d9",
    "wiring": "#eeeeee",
}
_KINDS = {
    "Conv": "product",
    "MatMul": "product",
    "MVAU": "product",
    "MaxPool": "pool",
    "Pool": "pool",
    "MultiThreshold": "quantizer",
    "ConvolutionInputGenerator": "window",
}


def draw() -> bytes:
    """Draw the graph behind four passes, side by side, as SVG."""
    columns = dict(_columns())
    rows = max(map(len, columns.values()))
    figure = Figure(figsize=(11, 0.2 * rows + 0.6))
    axes = figure.subplots(1, len(columns))
    for axis, (title, nodes) in zip(axes, columns.items(), strict=True):
        _draw_chain(axis, title, nodes, rows)
    figure.tight_layout()
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hwgq"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _columns() -> Iterator[tuple[str, Sequence[Node]]]:
    """Compile CNV, and list its nodes behind each of the passes drawn."""
    request = Request(board=boards.load(BOARD), clock_mhz=25.0, fps=FRAMES_PER_SECOND)
    state = State(request=request, model=load_network(NETWORK / "network.onnx"))
    seen: dict[str, State] = {}
    run_passes(state, lambda _, step, after: seen.update({step.name: after}))
    path = [
        node.op_type
        for node in seen["normalize"].model.graph.node
        if node.op_type not in ("BipolarQuant", "Transpose")
    ]
    yield "normalize: QONNX", [_node(kind) for kind in path]
    finn = [n.op_type for n in seen["finn-minimize"].finn.graph.node]
    yield "finn-minimize: FINN's layers", [_node(kind) for kind in finn]
    unfolded = [
        (text.partition(",")[0], kind)
        for text, kind in _boxes(seen["absorb-offsets"].graph)
    ]
    yield "absorb-offsets: our IR", unfolded
    yield "place-memories: hardware", list(_boxes(seen["place-memories"].graph))


def _node(operator: str) -> Node:
    return operator, _KINDS.get(operator, "glue")


def _boxes(graph: Graph) -> Iterator[Node]:
    for layer in graph.layers:
        yield _box(layer)


def _box(layer: Layer) -> Node:
    match layer:
        case Mvau():
            folded = f"{layer.rows}×{layer.columns}"
            return f"Mvau {folded}, PE {layer.pe}, SIMD {layer.simd}", "product"
        case SlidingWindow():
            kernel = "×".join(map(str, layer.window.kernel))
            return f"SlidingWindow {kernel}, {layer.simd} a beat", "window"
        case Pool():
            return f"Pool, PE {layer.pe}", "pool"
        case Fifo():
            return f"Fifo, {layer.depth} beats", "wiring"
        case WidthConverter():
            return "WidthConverter", "wiring"
    return type(layer).__name__, "quantizer"


def _draw_chain(axis: Axes, title: str, nodes: Iterable[Node], rows: int) -> None:
    """Draw boxes below one another."""
    axis.set_title(title, fontsize=9)
    axis.axis("off")
    for place, (text, kind) in enumerate(nodes):
        box = {"boxstyle": "round,pad=0.25", "fc": _COLOURS[kind], "ec": "none"}
        axis.text(0.5, -place, text, ha="center", va="center", fontsize=6, bbox=box)
    axis.set(xlim=(0, 1), ylim=(-rows, 1))
