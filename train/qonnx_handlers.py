# SPDX-License-Identifier: Apache-2.0
"""How Brevitas' QONNX export writes an HWGQ activation: MultiThreshold, then Mul.

No `Quant` can say its thresholds, whose first step is longer than the others. Levels
that are not uniform are looked up: MultiThreshold, Cast, then Gather from a table.
"""

from typing import Any, ClassVar

import torch
from brevitas.export.onnx.handler import ONNXBaseHandler
from brevitas.export.onnx.qonnx.function import DOMAIN_STRING
from brevitas.export.onnx.qonnx.manager import QONNXManager
from onnx import TensorProto
from torch import Tensor
from torch.autograd import Function

from hwgq.train.layers import HalfWaveActProxy


class MultiThresholdFunction(Function):
    """The node as the TorchScript exporter writes it, and as eager mode runs it."""

    @staticmethod
    def symbolic(g: Any, x: Any, thresholds: Any, bits: int) -> Any:
        """Write the node; it counts the thresholds T with ``x >= T``."""
        node = g.op(
            f"{DOMAIN_STRING}::MultiThreshold",
            x,
            thresholds,
            out_dtype_s=f"UINT{bits}",
            out_scale_f=1.0,
            out_bias_f=0.0,
        )
        node.setType(x.type())
        return node

    @staticmethod
    def forward(ctx: Any, x: Tensor, thresholds: Tensor, bits: int) -> Tensor:
        """Compute what the node computes."""
        return (x.unsqueeze(-1) >= thresholds.flatten()).sum(-1).to(x.dtype)


class LookUpFunction(Function):
    """Values of levels that are not uniform."""

    @staticmethod
    def symbolic(g: Any, level: Any, table: Any) -> Any:
        """Write the nodes."""
        index = g.op("Cast", level, to_i=TensorProto.INT64)
        node = g.op("Gather", table, index, axis_i=0)
        node.setType(level.type())
        return node

    @staticmethod
    def forward(ctx: Any, level: Tensor, table: Tensor) -> Tensor:
        """Compute what the nodes compute."""
        return table[level.long()]


class MultiThresholdOp:
    """The node for Brevitas' exporters, of which only TorchScript's is used."""

    torchscript = MultiThresholdFunction


class LookUpOp:
    """The nodes for Brevitas' exporters."""

    torchscript = LookUpFunction


class HalfWaveHandler(ONNXBaseHandler):  # type: ignore[misc]  # Brevitas has no types
    """Exports the quantizer of an :class:`~hwgq.train.layers.HWGQ` layer."""

    handled_layer = HalfWaveActProxy

    def prepare_for_export(self, module: Any) -> None:
        """Take the constants of the layer."""
        quantizer = module.quant_injector.quantizer
        self.bits = quantizer.bits
        self.thresholds = torch.from_numpy(quantizer.thresholds).reshape(1, -1)
        values = torch.from_numpy(quantizer.values)
        self.table = None if quantizer.uniform else values
        self.rest = module.scale(), module.zero_point(), module.bit_width()

    def symbolic_execution(self, x: Tensor) -> tuple[Tensor, ...]:
        """Trace the layer."""
        level = self.export_op(MultiThresholdOp, x, self.thresholds, self.bits)
        if self.table is not None:
            return self.export_op(LookUpOp, level, self.table), *self.rest
        return level * self.rest[0], *self.rest


class HwgqQonnxManager(QONNXManager):  # type: ignore[misc]
    """Brevitas' QONNX export with the HWGQ quantizer."""

    handlers: ClassVar[list[Any]] = [HalfWaveHandler, *QONNXManager.handlers]
    custom_fns: ClassVar[list[Any]] = [
        MultiThresholdFunction,
        LookUpFunction,
        *QONNXManager.custom_fns,
    ]
