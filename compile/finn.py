# SPDX-License-Identifier: Apache-2.0
"""FINN's transformations, one after another, by name.

`Streamline` is spelled out because its own version renames every tensor after each
step and so loses the names by which the border finds the layers again. FINN's command
line and builder, which need a vendor's tools, are never touched.
"""

import logging
from dataclasses import dataclass
from functools import cache
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from hwgq.errors import UnsupportedLayerError
from hwgq.foreign import guarded


@dataclass(frozen=True, slots=True, kw_only=True)
class FinnStep:
    """One of FINN's or qonnx's transformations.

    Parameters
    ----------
    name
        Name in tables, logs and errors.
    transformations
        What is applied, in order.
    ensures
        What holds afterwards, in a sentence without a full stop.
    """

    name: str
    transformations: tuple[Any, ...]
    ensures: str


@cache
def finn_steps() -> tuple[FinnStep, ...]:
    """List the steps; FINN (and through it torch) is imported by the first call."""
    from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (  # noqa: E501
        InferQuantizedMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.thresholding import (
        InferThresholdingLayer,
    )
    from finn.transformation.fpgadataflow.minimize_accumulator_width import (
        MinimizeAccumulatorWidth,
    )
    from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
    from finn.transformation.streamline import absorb, collapse_repeated, reorder
    from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
    from qonnx.transformation import general
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.infer_data_layouts import InferDataLayouts
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.transformation.remove import RemoveIdentityOps

    types = (
        RemoveIdentityOps(),
        general.GiveUniqueNodeNames(),
        InferDataTypes(),
        InferDataLayouts(),
    )

    def streamlined(name: str, ensures: str, *transformations: Any) -> FinnStep:
        tidied = tuple(t for step in transformations for t in (step, *types))
        return FinnStep(name=name, transformations=tidied, ensures=ensures)

    return (
        FinnStep(
            name="finn-convert",
            transformations=(
                ConvertQONNXtoFINN(),
                InferShapes(),
                FoldConstants(),
                *types,
                general.RemoveStaticGraphInputs(),
            ),
            ensures="the graph is in FINN's dialect, with shapes and integer types",
        ),
        streamlined(
            "finn-move-scales",
            "scales and offsets stand behind the products",
            absorb.AbsorbScalarBiasIntoMultiThreshold(),
            reorder.MoveScalarLinearPastInvariants(),
            reorder.MoveAddPastMul(),
            reorder.MoveScalarAddPastMatMul(),
            reorder.MoveScalarMulPastMatMul(),
            reorder.MoveAddPastMul(),
        ),
        streamlined(
            "finn-collapse",
            "one factor and one offset are left before each threshold",
            collapse_repeated.CollapseRepeatedAdd(),
            collapse_repeated.CollapseRepeatedMul(),
        ),
        streamlined(
            "finn-absorb",
            "no scale or offset stands before a threshold",
            absorb.AbsorbAddIntoMultiThreshold(),
            absorb.FactorOutMulSignMagnitude(),
            absorb.AbsorbMulIntoMultiThreshold(),
            absorb.Absorb1BitMulIntoMatMul(),
        ),
        FinnStep(
            name="finn-hardware",
            transformations=(
                InferQuantizedMatrixVectorActivation(),
                InferThresholdingLayer(),
                general.GiveUniqueNodeNames(),
            ),
            ensures="every product and threshold is a hardware layer",
        ),
        FinnStep(
            name="finn-minimize",
            transformations=(
                MinimizeAccumulatorWidth(),
                InferDataTypes(),
                RoundAndClipThresholds(),
                InferDataTypes(),
            ),
            ensures="FINN's own thresholds are integers in the accumulator's range",
        ),
    )


def apply_step(step: FinnStep, model: ModelWrapper) -> ModelWrapper:
    """Apply one step.

    Raises
    ------
    UnsupportedLayerError
        If FINN or qonnx stops, whatever it raises.
    """
    logging.getLogger("finn_logger").setLevel(logging.ERROR)
    remedy = "This network needs a layer form that FINN takes; please report it"
    for transformation in step.transformations:
        name = type(transformation).__name__
        with guarded(UnsupportedLayerError, step.name, f"{name} stopped", remedy):
            model = model.transform(transformation)
    return model
