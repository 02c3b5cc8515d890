# SPDX-License-Identifier: Apache-2.0
"""What the README tells users to type works as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def blocks(section: str) -> list[tuple[str, str]]:
    """Take the Python and shell blocks of a section, in order, with their language."""
    text = README.read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"```(python|sh)\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("section", ["Your own data", "Your own QONNX"])
def test_the_blocks_of_a_section_run(section: str, tmp_path: Path) -> None:
    found = blocks(section)
    assert [language for language, _ in found] == ["python", "sh"]
    assert sum(len(code.split("\n")) for _, code in found) <= 20
    programs = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    for language, code in found:
        argv = ["python", "-c", code] if language == "python" else ["sh", "-ec", code]
        done = subprocess.run(
            argv, cwd=tmp_path, env=env, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
