# SPDX-License-Identifier: Apache-2.0
"""The deployable form of a network: packed signs, scales, and what is float.

=================== ======= ===========================================================
tensor              type    contents
=================== ======= ===========================================================
LAYER.signs         uint8   signs of a binary layer's weights in C order, +1 as 1, eight
                            a byte, the first in the highest bit
LAYER.alpha         float32 their scale, as the layer computed it
anything else       float32 biases, batch-norm statistics, float layers, by their name
=================== ======= ===========================================================
"""

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from hwgq.errors import StorageError
from hwgq.train.layers import BinaryConv2d, BinaryLinear

COUNTER = "num_batches_tracked"
"""What only a training needs."""


def pack(model: nn.Module) -> bytes:
    """Write a network in its deployable form, as safetensors; it is left as it is."""
    tensors: dict[str, Tensor] = {}
    binary = _binary(model)
    for path, layer in binary.items():
        ones = layer.signs().flatten().numpy() > 0
        tensors[f"{path}.signs"] = torch.from_numpy(np.packbits(ones))
        tensors[f"{path}.alpha"] = layer.alpha().detach().clone()
    for name, value in model.state_dict().items():
        if name.removesuffix(".weight") in binary or name.endswith(COUNTER):
            continue
        tensors[name] = value.contiguous()
    return save(tensors)


def unpack(model: nn.Module, data: bytes, place: str) -> None:
    """Give a network the weights of a deployable form; it computes what was packed.

    Parameters
    ----------
    model
        A network of the same layers.
    data
        What `pack` wrote.
    place
        Where it was read, for messages.

    Raises
    ------
    StorageError
        If it is damaged, or of another network.
    """
    try:
        tensors = load(data)
    except SafetensorError as error:
        problem = f"is no safetensors file ({error})"
        raise StorageError(place, problem, "Get it anew") from error
    for path, layer in _binary(model).items():
        shape = layer.weight.shape
        packed = _taken(tensors, f"{path}.signs", (-(-shape.numel() // 8),), place)
        scale = _taken(tensors, f"{path}.alpha", tuple(layer.alpha().shape), place)
        ones = np.unpackbits(packed.numpy(), count=shape.numel())
        signs = torch.from_numpy(ones).reshape(shape).float() * 2 - 1
        layer.freeze(signs, scale)
    rest = model.state_dict()
    for name, value in rest.items():
        owner = name.removesuffix(".weight")
        if owner not in _binary(model) and not name.endswith(COUNTER):
            value.copy_(_taken(tensors, name, tuple(value.shape), place))
    if tensors:
        problem = f"holds {', '.join(sorted(tensors))}, which the network has not"
        raise StorageError(place, problem, "Name the network that it was packed from")


def _binary(model: nn.Module) -> dict[str, BinaryLinear | BinaryConv2d]:
    kinds = BinaryLinear | BinaryConv2d
    return {n: m for n, m in model.named_modules() if isinstance(m, kinds)}


def _taken(
    tensors: dict[str, Tensor], name: str, shape: tuple[int, ...], place: str
) -> Tensor:
    """Take a tensor out, of the shape that the network has."""
    found = tensors.pop(name, None)
    if found is None or tuple(found.shape) != shape:
        has = "is missing" if found is None else f"has shape {tuple(found.shape)}"
        problem = f"{name} {has}, and should have {shape}"
        remedy = "Name the network that it was packed from"
        raise StorageError(place, problem, remedy)
    return found
