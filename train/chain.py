# SPDX-License-Identifier: Apache-2.0
"""A network as the chain of its layers, in the order in which they are applied.

`torch.fx` follows the forward, so that any module whose forward calls one layer after
another is such a chain, however its layers are nested.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx, nn

from hwgq.errors import UnsupportedLayerError
from hwgq.foreign import guarded
from hwgq.train.layers import quantizers

Chain = tuple[tuple[str, nn.Module], ...]
"""Layers with the paths of their modules."""

VANISHING = (
    nn.Identity,
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout),
)
"""Layers that hand on what they get, in evaluation."""

LAYERS_OF = {
    **dict.fromkeys(
        ("relu", "relu_"), "hwgq.train.HWGQ, or nn.ReLU before a float end"
    ),
    "max_pool2d": "nn.MaxPool2d",
    "batch_norm": "nn.BatchNorm2d",
    "linear": "hwgq.train.BinaryLinear",
    "conv2d": "hwgq.train.BinaryConv2d",
    "sign": "hwgq.train.Sign",
    **dict.fromkeys(("mul", "truediv"), "hwgq.train.augmentation.PixelScale"),
    "sub": "hwgq.train.augmentation.MeanImage",
}
"""The layer to use in place of a function."""

JOINS = frozenset({"add", "iadd", "add_", "cat", "concat", "stack"})
SHAPES = frozenset({"size", "getattr", "getitem", "len", "numel"})
FLATTENING = frozenset({"flatten", "view", "reshape"})
HANDING_ON = frozenset({"contiguous", "float"})

_WHOLE = "the network"


def chain(model: nn.Module) -> Chain:
    """Find the layers of a network in the order in which they are applied.

    Parameters
    ----------
    model
        The network. What `torch.compile` or data parallelism put around it is taken
        off. Identities and dropouts, which do nothing in evaluation, are left out.

    Raises
    ------
    UnsupportedLayerError
        If the network is more than a chain: with branches, functions, layers that are
        called twice, or quantizers that are never called.
    """
    model = unwrapped(model)
    _check_parts(model)
    tracer = _Tracer()
    remedy = "Write its forward as one layer after another, without branches on values"
    with (
        evaluating(model),
        guarded(UnsupportedLayerError, _WHOLE, "cannot be traced", remedy),
    ):
        graph = tracer.trace(model)
    found = tuple(_layers(graph, dict(model.named_modules())))
    missing = ", ".join(sorted(set(quantizers(model)) - {path for path, _ in found}))
    if missing:
        remedy = "Call it in the network's forward, once, or remove it"
        raise UnsupportedLayerError(missing, "is never called", remedy)
    return found


def unwrapped(model: nn.Module) -> nn.Module:
    """Take off what `torch.compile` or data parallelism put around a network.

    Raises
    ------
    UnsupportedLayerError
        If it is a Lightning module, whose network cannot be told from its other parts.
    """
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if isinstance(model, parallel):
            model = model.module
        elif isinstance(inner := getattr(model, "_orig_mod", None), nn.Module):
            model = inner
        else:
            break
    if any(kind.__name__ == "LightningModule" for kind in type(model).__mro__):
        remedy = "Export the network inside it"
        raise UnsupportedLayerError(_WHOLE, "is a LightningModule", remedy)
    return model


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode, and each module back in its own afterwards."""
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        yield
    finally:
        for module, training in modes.items():
            module.training = training


class _Tracer(fx.Tracer):
    """Follows forwards down to the layers of PyTorch, Brevitas and hwgq."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        containers = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
        return _is_layer(m) and not isinstance(m, containers)


def _is_layer(module: nn.Module) -> bool:
    parts = type(module).__module__.split(".")
    return parts[:2] == ["torch", "nn"] or parts[0] in {"hwgq", "brevitas"}


def _check_parts(model: nn.Module) -> None:
    """Refuse what hides its layers, or keeps numbers that are not float32."""
    if _is_layer(model) and not isinstance(model, nn.Sequential):
        problem = f"is a single {type(model).__name__}"
        raise UnsupportedLayerError(_WHOLE, problem, "Put it into an nn.Sequential")
    for path, module in model.named_modules():
        if hasattr(module, "_orig_mod"):
            remedy = "Compile the whole network, or export before torch.compile"
            raise UnsupportedLayerError(path, "is compiled", remedy)
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            kind = str(tensor.dtype).removeprefix("torch.")
            remedy = "Convert the network by .float()"
            raise UnsupportedLayerError(name, f"is {kind}", remedy)


def _layers(graph: fx.Graph, modules: dict[str, nn.Module]) -> Iterator[Any]:
    """Walk along the one value that runs through a traced forward."""
    current: fx.Node | None = None
    called: set[nn.Module] = set()
    for node in graph.nodes:
        name = _name(node)
        if node.op == "placeholder":
            current = node if current is None else current
        elif node.op == "call_module":
            module = modules[str(node.target)]
            _check_data(node, current, str(node.target))
            if module in called:
                remedy = "Make a layer of its own for each place"
                raise UnsupportedLayerError(
                    str(node.target), "is called more than once", remedy
                )
            called.add(module)
            current = node
            if not isinstance(module, VANISHING):
                yield str(node.target), module
        elif node.op == "output":
            _check_data(node, current, _WHOLE)
        elif name in SHAPES and node.op != "call_module":
            continue
        else:
            yield from _function(node, name, current)
            current = node


def _function(node: fx.Node, name: str, current: fx.Node | None) -> Iterator[Any]:
    """Take a function for the layer that it is, or for none."""
    place = _place(node, name)
    _check_data(node, current, place)
    if name in HANDING_ON or (
        name == "dropout" and _argument(node, 2, "training") is False
    ):
        return
    if name in FLATTENING:
        if not _flattens(node, name):
            remedy = "Flatten each frame, as by x.flatten(1): nothing else is mapped"
            raise UnsupportedLayerError(place, "gives the tensor another shape", remedy)
        yield node.name, nn.Flatten()
        return
    layer = LAYERS_OF.get(
        name.rstrip("_"), "a layer of torch.nn that hwgq.train.reference takes"
    )
    raise UnsupportedLayerError(place, "is a function", f"Use {layer}")


def _check_data(node: fx.Node, current: fx.Node | None, place: str) -> None:
    """Refuse a node that reads anything but the value that runs along the chain."""
    read = [n for n in node.all_input_nodes if _name(n) not in SHAPES]
    if read == [current]:
        return
    if _name(node) in JOINS or len(read) > 1 or (read and read[0].op != "get_attr"):
        problem = "joins or branches off values"
        remedy = "Networks with joins are not exported yet: use a chain of layers"
    else:
        problem = "does not read what the layer before it gives"
        remedy = "Apply every layer to what the one before it gives"
    raise UnsupportedLayerError(place, problem, remedy)


def _flattens(node: fx.Node, name: str) -> bool:
    """Tell whether a call makes one row of each frame."""
    if name == "flatten":
        ends = _argument(node, 1, "start_dim"), _argument(node, 2, "end_dim")
        return ends in {(1, None), (1, -1)}
    shape = node.args[1:] or (node.kwargs.get("shape"),)
    sizes = list(shape[0]) if isinstance(shape[0], tuple | list) else list(shape)
    return len(sizes) == 2 and (isinstance(sizes[0], fx.Node) or bool(sizes[0] == -1))


def _argument(node: fx.Node, position: int, name: str) -> object:
    if len(node.args) > position:
        return node.args[position]
    return node.kwargs.get(name)


def _name(node: fx.Node) -> str:
    """Give a function's or method's name; that of a module has no meaning."""
    if node.op == "call_method":
        return str(node.target)
    if node.op == "call_function":
        name = getattr(node.target, "__name__", "")
        return name if name not in {"", "fn"} else re.sub(r"_\d+$", "", node.name)
    return ""


def _place(node: fx.Node, name: str) -> str:
    """Say where a function is called: in which module of the network."""
    scopes = [path for path, _ in node.meta.get("nn_module_stack", {}).values() if path]
    return f"{scopes[-1]}: {name}" if scopes else name
