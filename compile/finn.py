# SPDX-License-Identifier: Apache-2.0
"""FINN's transformations, one after another, by name.

`Streamline` is spelled out because its own version renames every tensor after each
step and so loses the names by which the border finds the layers again. FINN's command
line and builder, which need a vendor's tools, are never touched. FINN's hardware layers
import torch, so each step imports what it needs when it runs.
"""

import logging
import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation import general
from qonnx.transformation.base import Transformation
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.remove import RemoveIdentityOps

from hwgq.errors import UnsupportedLayerError
from hwgq.foreign import guarded


@contextmanager
def _names_drawn_alike() -> Iterator[None]:
    """Let qonnx draw the same names each time; what others draw stays as it was.

    It names new tensors by Python's global generator, and stage dumps hold the names.
    """
    before = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinnStep:
    """Some of FINN's or qonnx's transformations.

    Parameters
    ----------
    name
        Name in tables, logs and errors.
    load
        Gives what is applied, in order; imports it first.
    ensures
        What holds afterwards, a sentence without a full stop.
    """

    name: str
    load: Callable[[], Iterable[Any]]
    ensures: str

    @_names_drawn_alike()
    def apply(self, model: ModelWrapper) -> ModelWrapper:
        """Apply the step.

        Raises
        ------
        UnsupportedLayerError
            If FINN or qonnx stops, whatever it raises.
        """
        logging.getLogger("finn_logger").setLevel(logging.ERROR)
        remedy = "This network needs a layer form that FINN takes; please report it"
        for transformation in self.load():
            doing = f"{type(transformation).__name__} stopped"
            with (
                warnings.catch_warnings(),
                guarded(UnsupportedLayerError, self.name, doing, remedy),
                # Thresholds that nothing reaches become infinite, as they should.
                np.errstate(over="ignore"),
            ):
                # It is: activations are (frames, channels), or images behind these.
                warnings.filterwarnings("ignore", "Assuming 2D input is NC")
                warnings.filterwarnings("ignore", "Assuming 4D input is NCHW")
                model = model.transform(transformation)
        return model


class _MinimizeWeights(Transformation):  # type: ignore[misc]  # qonnx has no types
    """Give products weights of as few bits as they take, but at least INT2.

    FINN's Python takes the product of two bipolar tensors for a popcount, but compares
    it with thresholds on the dot product; it also calls weights of -1 and 0 bipolar.
    Its `MinimizeWeightBitWidth` takes thresholds of -1 and 0 for that, too, and stops;
    `RoundAndClipThresholds` has given those their bits. The IR takes the recorded
    weights anyway.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Apply it; never again."""
        for node in model.graph.node:
            if node.op_type in {"MVAU", "VVAU"}:
                layer = getCustomOp(node)
                layer.minimize_weight_bit_width(model)
                if layer.get_nodeattr("weightDataType") == "BIPOLAR":
                    layer.set_nodeattr("weightDataType", "INT2")
                    model.set_tensor_datatype(node.input[1], DataType["INT2"])
        return model, False


def _tidied(*transformations: Any) -> Iterable[Any]:
    """Follow each as `Streamline` does, but without renaming tensors."""
    for transformation in transformations:
        yield transformation
        yield RemoveIdentityOps()
        yield general.GiveUniqueNodeNames()
        yield InferDataTypes()
        yield InferDataLayouts()


def _convert() -> Iterable[Any]:
    from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN

    return (
        ConvertQONNXtoFINN(),
        InferShapes(),
        FoldConstants(),
        *_tidied(general.RemoveStaticGraphInputs()),
    )


def _move_scales() -> Iterable[Any]:
    from finn.transformation.streamline import absorb, reorder

    return _tidied(
        absorb.AbsorbScalarBiasIntoMultiThreshold(),
        reorder.MoveScalarLinearPastInvariants(),
        reorder.MoveAddPastMul(),
        reorder.MoveScalarAddPastMatMul(),
        reorder.MoveScalarMulPastMatMul(),
        reorder.MoveAddPastMul(),
    )


def _collapse() -> Iterable[Any]:
    from finn.transformation.streamline import collapse_repeated

    return _tidied(
        collapse_repeated.CollapseRepeatedAdd(), collapse_repeated.CollapseRepeatedMul()
    )


def _absorb() -> Iterable[Any]:
    from finn.transformation.streamline import absorb

    return _tidied(
        absorb.AbsorbAddIntoMultiThreshold(),
        absorb.AbsorbMulIntoMultiThreshold(),
    )


def _lower() -> Iterable[Any]:
    from finn.transformation.streamline import absorb
    from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

    return _tidied(
        LowerConvsToMatMul(),
        absorb.AbsorbTransposeIntoMultiThreshold(),
        absorb.AbsorbConsecutiveTransposes(),
        InferDataLayouts(),
        general.RemoveUnusedTensors(),
    )


def _to_hardware() -> Iterable[Any]:
    from finn.transformation.fpgadataflow.convert_to_hw import (
        conv_inp_gen,
        quantized_matrix_vector_activation,
        thresholding,
        vector_vector_activation,
    )
    from finn.transformation.move_reshape import RemoveCNVtoFCFlatten
    from finn.transformation.streamline import absorb

    return (
        vector_vector_activation.InferVectorVectorActivation(),
        quantized_matrix_vector_activation.InferQuantizedMatrixVectorActivation(),
        thresholding.InferThresholdingLayer(),
        conv_inp_gen.InferConvInpGen(),
        RemoveCNVtoFCFlatten(),
        absorb.AbsorbConsecutiveTransposes(),
        RemoveCNVtoFCFlatten(),
        general.GiveUniqueNodeNames(),
        InferDataLayouts(),
        InferDataTypes(),
        InferShapes(),
    )


def _minimize() -> Iterable[Any]:
    from finn.transformation.fpgadataflow import minimize_accumulator_width
    from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds

    return (
        RoundAndClipThresholds(),
        _MinimizeWeights(),
        minimize_accumulator_width.MinimizeAccumulatorWidth(),
        InferDataTypes(),
        RoundAndClipThresholds(),
        InferDataTypes(),
    )


FINN_STEPS = (
    FinnStep(
        name="finn-convert",
        load=_convert,
        ensures="the graph is in FINN's dialect, with shapes and integer types",
    ),
    FinnStep(
        name="finn-move-scales",
        load=_move_scales,
        ensures="scales and offsets stand behind the products",
    ),
    FinnStep(
        name="finn-collapse",
        load=_collapse,
        ensures="at most one factor and one offset are left before each threshold",
    ),
    FinnStep(
        name="finn-absorb",
        load=_absorb,
        ensures="no scale or offset stands before a threshold",
    ),
    FinnStep(
        name="finn-lower",
        load=_lower,
        ensures="convolutions are products of windows, and images have channels last",
    ),
    FinnStep(
        name="finn-hardware",
        load=_to_hardware,
        ensures="every product and threshold is a hardware layer of FINN's",
    ),
    FinnStep(
        name="finn-minimize",
        load=_minimize,
        ensures="FINN's own thresholds are integers in the accumulator's range",
    ),
)
