# SPDX-License-Identifier: Apache-2.0
"""Compile a QONNX network to hardware, and prove the two equal."""

from hwgq.compile.compile_network import compile_network
from hwgq.compile.infer import InferReport, infer
from hwgq.compile.lint import LintReport, lint
from hwgq.compile.simulate import SimulationReport, simulate
from hwgq.compile.verify import VerifyReport, verify

__all__ = [
    "InferReport",
    "LintReport",
    "SimulationReport",
    "VerifyReport",
    "compile_network",
    "infer",
    "lint",
    "simulate",
    "verify",
]
