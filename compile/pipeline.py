# SPDX-License-Identifier: Apache-2.0
"""The compiler as one list of named passes, from a checked ONNX file to a netlist.

Each pass takes what is known so far and returns more; nothing is changed in place. The
first group reads the network, FINN streamlines it, `cross-border` joins both, and from
there on passes go from graph to graph.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper

from hwgq.boards import Board
from hwgq.compile.cost import Lanes
from hwgq.compile.fabric import Fabric
from hwgq.compile.finn import FINN_STEPS, FinnStep
from hwgq.compile.finn_graph import write_finn_graph
from hwgq.compile.folding import Target
from hwgq.compile.graph import Graph
from hwgq.compile.network import Network
from hwgq.compile.options import declared_input
from hwgq.compile.passes.absorb_offsets import absorb_offsets
from hwgq.compile.passes.border import cross_border
from hwgq.compile.passes.fold import fold
from hwgq.compile.passes.insert_width_converters import insert_width_converters
from hwgq.compile.passes.normalize import normalize
from hwgq.compile.passes.place_memories import LUT_WORDS, place_memories
from hwgq.compile.passes.record import record
from hwgq.compile.passes.size_fifos import size_fifos
from hwgq.compile.tape import Tape
from hwgq.errors import FoldingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the compiler.

    Parameters
    ----------
    board
        The board to fit.
    clock_mhz
        Clock of the core.
    fps
        Frames per second to reach; None asks for the fastest that fits.
    pins
        Lanes that the user fixed, by layer.
    input_type, input_scale
        What the network's input is, where its file does not say it.
    exchangeable
        Whether a retrained network of the same shape shall differ in memories only.
    """

    board: Board
    clock_mhz: float
    fps: float | None = None
    pins: Mapping[str, Lanes] = dataclasses.field(default_factory=dict)
    input_type: str | None = None
    input_scale: str | None = None
    exchangeable: bool = False

    @property
    def lut_words(self) -> int:
        """Words of the largest memory in look-up tables, which are not exchangeable."""
        return 0 if self.exchangeable else LUT_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is known of a network between two passes; each field from its pass on."""

    request: Request
    model: ModelProto
    recorded: Network | None = None
    streamlined: ModelWrapper | None = None
    dataflow: Graph | None = None

    @property
    def network(self) -> Network:
        """What the network computes, from `record` on."""
        assert self.recorded is not None
        return self.recorded

    @property
    def finn(self) -> ModelWrapper:
        """FINN's graph, from `finn-graph` on."""
        assert self.streamlined is not None
        return self.streamlined

    @property
    def graph(self) -> Graph:
        """The dataflow graph, from `cross-border` on."""
        assert self.dataflow is not None
        return self.dataflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One step of the compiler.

    Parameters
    ----------
    name
        Name in tables, logs and stage files.
    run
        The step.
    ensures
        What holds afterwards, a sentence without a full stop.
    """

    name: str
    run: Callable[[State], State]
    ensures: str


def _normalize(state: State) -> State:
    return dataclasses.replace(state, model=normalize(state.model))


def _record(state: State) -> State:
    tape = Tape(state.model)
    request = state.request
    declared = declared_input(
        tape.annotations.get(tape.input), request.input_type, request.input_scale
    )
    return dataclasses.replace(state, recorded=record(tape, declared))


def _write_finn_graph(state: State) -> State:
    return dataclasses.replace(state, streamlined=write_finn_graph(state.network))


def _finn(step: FinnStep) -> Pass:
    def run(state: State) -> State:
        return dataclasses.replace(state, streamlined=step.apply(state.finn))

    return Pass(name=step.name, run=run, ensures=step.ensures)


def _cross_border(state: State) -> State:
    graph = cross_border(state.finn, state.network)
    return dataclasses.replace(state, dataflow=graph)


def _absorb_offsets(state: State) -> State:
    graph = absorb_offsets(state.graph, exchangeable=state.request.exchangeable)
    return dataclasses.replace(state, dataflow=graph)


def _fold(state: State) -> State:
    request = state.request
    target = Target(fps=request.fps, clock_mhz=request.clock_mhz, pins=request.pins)
    quick, whole = (
        Fabric.of(request.board, quick=is_quick, lut_words=request.lut_words)
        for is_quick in (request.fps is None, False)
    )
    try:
        graph = fold(state.graph, quick, target)
    except FoldingError:
        # A network too large to be routed in minutes may still fit the whole device.
        graph = fold(state.graph, whole, target)
    return dataclasses.replace(state, dataflow=graph)


def _place_memories(state: State) -> State:
    graph = place_memories(state.graph, state.request.lut_words)
    return dataclasses.replace(state, dataflow=graph)


def _on_graph(run: Callable[[Graph], Graph]) -> Callable[[State], State]:
    return lambda state: dataclasses.replace(state, dataflow=run(state.graph))


FRONT = (
    Pass(
        name="normalize",
        run=_normalize,
        ensures="every node has a name, all attributes, and the one form of its kind",
    ),
    Pass(
        name="record",
        run=_record,
        ensures="each section is a 1-bit dot product, a float64 chain and a quantizer",
    ),
    Pass(
        name="finn-graph",
        run=_write_finn_graph,
        ensures="FINN gets the device's part in QONNX, tensors named after sections",
    ),
    *(_finn(step) for step in FINN_STEPS),
)
"""From the file to FINN's hardware layers; `verify` runs these once more."""

BACK = (
    # The exact thresholds come from the recorded chains, not from FINN's float algebra.
    Pass(
        name="cross-border",
        run=_cross_border,
        ensures="FINN's layers are ours, with exact integer thresholds",
    ),
    # Costs depend on accumulator widths, which are final only behind this pass.
    Pass(
        name="absorb-offsets",
        run=_absorb_offsets,
        ensures="thresholds compare the popcount S itself, on no more bits than needed",
    ),
    Pass(
        name="fold",
        run=_fold,
        ensures="every layer has a PE and SIMD that divide it and fit the board",
    ),
    Pass(
        name="insert-width-converters",
        run=_on_graph(insert_width_converters),
        ensures="both ends of every stream agree on the elements per beat",
    ),
    # On which side of a converter beats wait is found by trying, so it comes after.
    Pass(
        name="size-fifos",
        run=_on_graph(size_fifos),
        ensures="no layer's pauses hold up another",
    ),
    Pass(
        name="place-memories",
        run=_place_memories,
        ensures="every memory is in look-up tables or block RAM, whichever is smaller",
    ),
)

"""From FINN's hardware layers to a graph that a netlist can be written of."""

PASSES = FRONT + BACK


def run_passes(
    state: State,
    after_each: Callable[[int, Pass, State], None] | None = None,
    passes: Sequence[Pass] = PASSES,
) -> State:
    """Apply passes in order.

    Parameters
    ----------
    state
        A request and the checked network.
    after_each
        Called behind each pass with its number, itself and the state that it left.
    passes
        The passes; all of them by default.
    """
    for number, step in enumerate(passes):
        state = step.run(state)
        if after_each is not None:
            after_each(number, step, state)
    return state
