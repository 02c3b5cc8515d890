# SPDX-License-Identifier: Apache-2.0
"""The generated pages are those of this code, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from docs.generate import FOLDER, pages

ROOT = FOLDER.parent
PAGES = sorted([*ROOT.glob("*.md"), *FOLDER.glob("*.md"), *FOLDER.glob("modules/*")])


@pytest.mark.parametrize("name", pages())
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == pages()[name], "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target
