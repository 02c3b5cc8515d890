# SPDX-License-Identifier: Apache-2.0
"""Rungs of the ladder: what was compared with the reference, and what came of it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwgq.compile.graph import IntArray
from hwgq.compile.witness import Numbers, Testimony, first_mismatch
from hwgq.errors import MismatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One representation of the network beside the reference.

    Parameters
    ----------
    rung
        Its name.
    frames, layers, values
        How many were compared; a value is one integer of one layer of one frame.
    mismatches
        Integers that differ.
    ties
        Of a float32 witness: levels that differ where rounding decides; "-" elsewhere.
    stalled_in, stalled_out
        Share of the cycles, in percent, withheld at the ends of a simulation.
    seconds
        How long it took.
    """

    rung: str
    frames: int
    layers: int
    values: int
    mismatches: int
    ties: int | str = "-"
    stalled_in: float | str = "-"
    stalled_out: float | str = "-"
    seconds: float = 0.0


class Ladder:
    """Collects rungs, and the first mismatch.

    Attributes
    ----------
    rungs
        In the order in which they were climbed.
    mismatch
        The first integer that differs from the reference, if any.
    """

    def __init__(self) -> None:
        self.rungs: list[Rung] = []
        self.mismatch: MismatchError | None = None

    @contextmanager
    def climb(self, rung: str, frames: int) -> Iterator["Climb"]:
        """Time a rung and note what it compared."""
        climb = Climb(rung, frames)
        begun = time.monotonic()
        yield climb
        self.mismatch = self.mismatch or climb.mismatch
        self.rungs.append(
            Rung(
                rung=rung,
                frames=climb.frames,
                layers=len(climb.layers),
                values=climb.values,
                mismatches=climb.mismatches,
                seconds=round(time.monotonic() - begun, 2),
                **climb.facts,
            )
        )


class Climb:
    """Compares one rung, layer by layer."""

    def __init__(self, rung: str, frames: int) -> None:
        self.rung, self.frames = rung, frames
        self.layers: set[str] = set()
        self.values = self.mismatches = 0
        self.mismatch: MismatchError | None = None
        self.facts: dict[str, Any] = {}

    def compare(self, layer: str, expected: Numbers, got: Numbers) -> None:
        """Compare all numbers of a layer, frames first, with no tolerance."""
        one, other = (a.reshape(len(a), -1) for a in (expected, got))
        if one.shape != other.shape:
            raise ValueError(f"{layer}: {one.shape} beside {other.shape}")
        self.layers.add(layer)
        self.values += one.size
        wrong = np.argwhere(one != other)
        self.mismatches += len(wrong)
        if self.mismatch is None:
            self.mismatch = first_mismatch(self.rung, layer, wrong, one, other)

    def compare_all(
        self, expected: Mapping[str, IntArray], got: Mapping[str, IntArray]
    ) -> None:
        """Compare every layer in `expected`."""
        for layer, codes in expected.items():
            self.compare(layer, codes, got[layer])

    def hear(self, testimony: Testimony) -> None:
        """Note what a float32 witness said of a layer."""
        self.layers.add(testimony.layer)
        self.values += testimony.values
        self.mismatches += testimony.mismatches
        self.mismatch = self.mismatch or testimony.first
        ties = self.facts.get("ties", 0)
        self.facts["ties"] = int(ties) + testimony.ties
