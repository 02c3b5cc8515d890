# SPDX-License-Identifier: Apache-2.0
"""`hwgq verify --against` names what is not as it was, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from hwgq.compile import compile_network, verify
from hwgq.storage import read_json
from tests.end_to_end.command import refused, run
from tests.end_to_end.hand_made import make_network, save, set_tensor


def test_a_verification_names_what_changed_since_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make_network()
    old, same, new = (tmp_path / name for name in ("old", "same", "new"))
    for folder in (old, same, new):
        if folder == new:  # the second layer never leaves level 0
            thresholds = np.full((1, 3), 1e9, np.float32)
            set_tensor(model, "levels1.thresholds", thresholds)
        network = save(model, tmp_path / "network.onnx")
        compile_network(network, "icebreaker", out=folder, fps=20_000)
    verify(old, through="emulate")
    report = old / "verify.json"
    run("verify", same, "--through", "emulate", "--against", report)
    assert "changed: nothing\n" in capsys.readouterr().out
    assert verify(old, through="emulate", against=report).changed == ()

    changed = verify(new, through="emulate", against=report).changed
    assert changed is not None
    evidence, before = (
        read_json(folder / "verify.json")["evidence"] for folder in (new, old)
    )
    for change in changed:
        assert change.was == before[change.name] != evidence[change.name] == change.now
    names = {change.name for change in changed}
    assert {"network.onnx", "dataflow.json", "layer levels1: codes", "output"} < names
    assert "rtl/p2.hex" in names
    for name in ("layer levels0: codes", "rtl/w0.hex", "rtl/p0.hex", "tool verilator"):
        assert name in evidence
        assert name not in names
    message = refused(tmp_path, "verify", new, "--against", new / "build.toml")
    assert message.startswith(f"{new / 'build.toml'}: is not valid JSON")
