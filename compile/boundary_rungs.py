# SPDX-License-Identifier: Apache-2.0
"""Rungs of boundary frames: each layer alone, at every one of its thresholds."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hwgq.compile.boundary import (
    Coverage,
    Thresholded,
    boundary_layers,
    boundary_vectors,
    coverage,
    isolate,
)
from hwgq.compile.build_folder import Build
from hwgq.compile.emulate import emulate
from hwgq.compile.graph import IntArray, Vvau
from hwgq.compile.ladder import Ladder
from hwgq.compile.network import Network
from hwgq.compile.simulate_rtl import Watch, simulate_rtl, write_isolated_rtl
from hwgq.errors import VerificationError
from hwgq.progress import step


def climb_boundary_emulation(
    ladder: Ladder, build: Build, network: Network
) -> tuple[Coverage, ...]:
    """Run every layer alone on its boundary frames, by emulation."""
    graph, coverages = build.graph, []
    with (
        step("verify: boundary, emulation"),
        ladder.climb("boundary, emulation", 0) as climb,
    ):
        for layer, codes, expected in boundary_frames(build, network):
            alone = isolate(graph, layer)
            climb.compare(layer.name, expected, emulate(alone, codes)[alone.output])
            climb.frames += len(codes)
            coverages.append(coverage(graph, layer, codes))
    return tuple(coverages)


def climb_boundary_rtl(ladder: Ladder, build: Build, network: Network) -> None:
    """Run every layer's hardware alone on its boundary frames."""
    with step("verify: boundary, rtl"), ladder.climb("boundary, rtl", 0) as climb:
        for layer, codes, expected in boundary_frames(build, network):
            with tempfile.TemporaryDirectory() as folder:
                alone = write_isolated_rtl(build.graph, layer, build.rtl, Path(folder))
                found = simulate_rtl(alone, Path(folder), codes, watch=Watch.ENDS)
            climb.compare(layer.name, expected, found.codes[alone.output])
            climb.frames += len(codes)


def check_coverage(coverages: Sequence[Coverage]) -> None:
    """Refuse a layer whose thresholds were not all met.

    Raises
    ------
    VerificationError
        If one was not.
    """
    for layer in coverages:
        if layer.covered < layer.reachable:
            raise VerificationError(
                layer.layer,
                f"has {layer.covered} of {layer.reachable} sides of thresholds met",
                "Please report this network",
            )


def boundary_frames(
    build: Build, network: Network
) -> Iterator[tuple[Thresholded, IntArray, IntArray]]:
    """Give each layer, input codes that meet its thresholds, and what it shall emit."""
    sections = {section.name: section for section in network.sections}
    for layer in boundary_layers(build.graph):
        codes = boundary_vectors(build.graph, layer)
        section = sections[layer.name]
        integers = section.input_type.values(codes)
        if isinstance(layer, Vvau):
            integers = integers.swapaxes(-1, -2).reshape(
                len(codes), layer.channels, layer.taps
            )
        if section.dot is not None:
            expected = section.inner_codes(section.dot.multiply(integers))
        else:
            # Where all channels have the same thresholds, the layer holds them once.
            every = np.broadcast_to(integers, (len(codes), section.channels))
            expected = section.inner_codes(every)[:, : codes.shape[1]]
        yield layer, codes, expected
