# SPDX-License-Identifier: Apache-2.0
"""A stage is run when, and only when, something that it depends on has changed."""

from pathlib import Path

import pytest

from hwgq.errors import StorageError
from hwgq.stages import run_stage
from hwgq.storage import write_json, write_text


class Stage:
    """A stage that writes a file and a folder and counts how often it ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.outputs = (folder / "out.txt", folder / "parts")
        self.inputs = {"network": "abc"}
        self.runs = 0

    def work(self) -> None:
        self.runs += 1
        write_text(self.outputs[0], "result")
        write_text(self.outputs[1] / "a.txt", "part")

    def __call__(self) -> bool:
        return run_stage(
            self.folder,
            "make",
            inputs=self.inputs,
            outputs=self.outputs,
            work=self.work,
        )


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_it_is_skipped_when_nothing_changed(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage()
    assert not stage()
    assert stage.runs == 1
    assert capsys.readouterr().err.endswith("make: up to date\n")


def test_it_is_run_for_other_inputs(stage: Stage) -> None:
    stage()
    stage.inputs = {"network": "abd"}
    assert stage()


@pytest.mark.parametrize("damage", ["edit", "remove", "edit part", "remove part"])
def test_it_is_run_when_an_output_is_not_as_it_was(stage: Stage, damage: str) -> None:
    stage()
    file = stage.folder / ("parts/a.txt" if "part" in damage else "out.txt")
    if "edit" in damage:
        file.write_text("edited")
    else:
        file.unlink()
    assert stage()
    assert file.exists()


def test_it_is_run_again_after_a_failure(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "work", fail)
        with pytest.raises(KeyboardInterrupt):
            stage()
    assert stage()
    assert not stage()


def test_a_stage_must_write_its_outputs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "work", lambda: None)
    with pytest.raises(StorageError, match=r"out\.txt: cannot be read"):
        stage()


def test_a_stamp_of_a_newer_format_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage()
    with monkeypatch.context() as patch:
        patch.setattr("hwgq.storage.FORMAT", 2)
        write_json(stage.folder / ".stages" / "make.json", {})
    with pytest.raises(StorageError, match="has format 2"):
        stage()
