# SPDX-License-Identifier: Apache-2.0
"""What every pass left, and a check that it still computes the same."""

import json
from typing import Any

import numpy as np

from hwgq.compile.emulate import emulate
from hwgq.compile.graph import IntArray
from hwgq.compile.ladder import Climb
from hwgq.compile.network import Network
from hwgq.compile.pipeline import Pass, State
from hwgq.compile.reference import Evaluation, evaluate_integers
from hwgq.compile.serialize import structure
from hwgq.storage import sha256_bytes

CHECK_FRAMES = 16


class Stages:
    """Follows a compilation pass by pass.

    Behind each pass from `cross-border` on, frames at random run through the graph
    and must come out, layer by layer, as the recorded network says.

    Parameters
    ----------
    keep_graphs
        Whether to keep FINN's graph behind each of its steps.

    Attributes
    ----------
    files
        Contents of the stage files, by name.
    """

    def __init__(self, *, keep_graphs: bool) -> None:
        self.files: dict[str, bytes] = {}
        self._keep = keep_graphs
        self._expected: Evaluation | None = None

    def observe(self, number: int, step: Pass, state: State) -> None:
        """Note what a pass left.

        Raises
        ------
        MismatchError
            If the graph no longer computes what was recorded.
        """
        name = f"{number:02}-{step.name}"
        facts: dict[str, Any] = {
            "format": 1,
            "pass": step.name,
            "ensures": step.ensures,
        }
        if state.dataflow is not None:
            self._check(step, state)
            facts["graph"] = structure(state.graph)
        elif state.streamlined is not None:
            nodes = state.finn.graph.node
            data = state.finn.model.SerializeToString(deterministic=True)
            facts["nodes"] = [[n.op_type, list(n.input), list(n.output)] for n in nodes]
            facts["sha256"] = sha256_bytes(data)
            if self._keep:
                self.files[f"{name}.onnx"] = data
        elif state.recorded is not None:
            facts["sections"] = [s.name for s in state.network.sections]
        else:
            facts["nodes"] = [[n.op_type, n.name] for n in state.model.graph.node]
        self.files[f"{name}.json"] = f"{json.dumps(facts, indent=2)}\n".encode()

    def _check(self, step: Pass, state: State) -> None:
        if self._expected is None:
            self._expected = evaluate_integers(
                state.network, random_integers(state.network, CHECK_FRAMES)
            )
        kind = state.network.input_type
        found = emulate(state.graph, kind.codes(self._expected.integers))
        climb = Climb(f"pass {step.name}", CHECK_FRAMES)
        climb.compare_all(self._expected.codes, found)
        if climb.mismatch is not None:
            raise climb.mismatch


def random_integers(network: Network, frames: int) -> IntArray:
    """Draw integers that enter the device, shape (frames, elements)."""
    kind = network.input_type
    size = (frames, *network.shape)
    return kind.values(np.random.default_rng(0).integers(kind.low, kind.high + 1, size))
