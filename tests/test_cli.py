# SPDX-License-Identifier: Apache-2.0
"""The command line: results to standard output, errors as their message alone."""

import dataclasses
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwgq
import hwgq.boards
import hwgq.cli
import hwgq.operate
from hwgq.errors import BoardError
from hwgq.show import plain, show

VERBS = ["train", "export", "compile", "simulate", "verify", "build", "run"]
LISTS = ["boards", "passes", "doctor"]


def hwgq_(*arguments: str | Path) -> int:
    """Run a command in this process; return its exit code."""
    with pytest.raises(SystemExit) as left:
        hwgq.cli.main([str(argument) for argument in arguments])
    if isinstance(left.value.code, str):
        sys.stderr.write(f"{left.value.code}\n")  # as the interpreter does
        return 1
    return left.value.code or 0


@pytest.mark.parametrize("verb", [*VERBS, *LISTS])
def test_every_verb_explains_itself(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hwgq_(verb, "--help") == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert verb in LISTS or f"hwgq {verb}" in text, "no example"


def test_help_lists_the_verbs_in_the_order_of_the_work(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert hwgq_("--help") == 0
    text = capsys.readouterr().out
    places = [text.index(f" {verb}  ") for verb in [*VERBS, *LISTS]]
    assert places == sorted(places)


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert hwgq_("--version") == 0
    assert capsys.readouterr().out == f"{hwgq.__version__}\n"


def test_help_is_quick_because_it_imports_nothing_heavy() -> None:
    code = "import sys, hwgq.cli; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    heavy = {"numpy", "numba", "onnx", "pydantic", "torch", "finn"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("verb", LISTS)
def test_json_is_all_that_json_prints(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hwgq_(verb, "--json")
    rows = next(iter(json.loads(capsys.readouterr().out).values()))
    assert rows
    assert all(isinstance(row, dict) for row in rows)


def test_boards_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert hwgq_("boards") == 0
    text = capsys.readouterr().out
    assert all(name in text for name in hwgq.boards.names())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train digit", "digit: .*"),
        ("train none.toml", "none.toml: .*"),
        ("export none", "none.*: cannot be read .*"),
        ("compile none.onnx --board icebreaker", "none.onnx: .*"),
        ("run digits --board icebraker", "icebraker: .*icebreaker.*"),
        ("verify none", "none.*"),
        ("build none", "none.*"),
    ],
)
def test_an_error_of_the_users_is_one_message(
    command: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hwgq_(*command.split()) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert re.match(message, err)
    assert list(tmp_path.iterdir()) == [], "something half-written"


def test_a_wrong_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert hwgq_("boards", "--jsn") == 2
    assert "--json" in capsys.readouterr().err


def test_names_from_foreign_files_are_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise BoardError("[bold]a[/wrong]\x1b[31m", "is wrong", "Mend it")

    monkeypatch.setattr(hwgq.boards, "names", fail)
    assert hwgq_("boards") == 1
    assert capsys.readouterr().err == "[bold]a[/wrong]?[31m: is wrong. Mend it.\n"


def test_a_mistake_of_our_own_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hwgq.boards, "names", lambda: [1])
    with pytest.raises(AttributeError):
        hwgq.cli.main(["boards"])


WAITING = """
import time, hwgq.boards, hwgq.cli
def wait():
    print("waiting", flush=True)
    time.sleep(60)
hwgq.boards.names = wait
hwgq.cli.main(["boards"])
"""


def test_ctrl_c_ends_it_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a result."""

    name: str
    cycles: int
    share: float | None


@dataclasses.dataclass(frozen=True)
class Result:
    """A result as the stages return them."""

    path: Path
    fits: bool
    rows: tuple[Row, ...]
    luts: dict[str, int]
    total: Any


RESULT = Result(
    path=Path("builds/x"),
    fits=True,
    rows=(Row("[a]", 1234567, 0.12345), Row("b", 2, None)),
    luts={"used": 9, "available": 5280},
    total=np.int64(3),
)


def test_json_and_tables_show_the_same_facts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(RESULT, json=True)
    assert json.loads(capsys.readouterr().out) == plain(RESULT)
    show(RESULT, json=False)
    text = capsys.readouterr().out
    for fact in (
        "path: builds/x",
        "fits: yes",
        "[a]",
        "1,234,567",
        "0.123",
        "total: 3",
    ):
        assert fact in text


def test_plain_knows_what_results_are_made_of() -> None:
    assert plain(RESULT) == {
        "path": "builds/x",
        "fits": True,
        "rows": [
            {"name": "[a]", "cycles": 1234567, "share": 0.12345},
            {"name": "b", "cycles": 2, "share": None},
        ],
        "luts": {"used": 9, "available": 5280},
        "total": 3,
    }
    assert plain({"levels": np.arange(3), "engine": hwgq.operate.Engine.RTL}) == {
        "levels": [0, 1, 2],
        "engine": "rtl",
    }
