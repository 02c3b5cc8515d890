# SPDX-License-Identifier: Apache-2.0
"""Results on standard output: the same facts as tables or as JSON."""

import dataclasses
import json as json_format
import sys
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(result: Any, *, json: bool) -> None:
    """Print a result.

    Parameters
    ----------
    result
        A dataclass or mapping. Its sequences of dataclasses or mappings become tables,
        everything else a line each.
    json
        Whether to print one JSON object instead, and nothing else.
    """
    facts = plain(result)
    if json:
        sys.stdout.write(json_format.dumps(facts, indent=2, allow_nan=False) + "\n")
        return
    _show_facts(_console(), facts)


def plain(value: Any) -> Any:
    """Turn dataclasses, paths and NumPy values into what JSON knows."""
    match value:
        case Mapping():
            result: Any = {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            result = [plain(item) for item in value]
        case PurePath():
            result = str(value)
        case _ if hasattr(value, "tolist"):  # NumPy's, which is slow to import
            result = value.tolist()
        case _ if dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            result = {name: plain(getattr(value, name)) for name in names}
        case _:
            result = value
    return result


def _show_facts(console: Console, facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if _is_table(value):
            console.print(_table(name, value))
        elif isinstance(value, dict) and any(map(_is_table, value.values())):
            _show_facts(console, value)
        else:
            console.print(Text(f"{_words(name)}: {_cell(value)}"), highlight=False)


def _console() -> Console:
    """Make a console that breaks lines for a terminal only, never in a file."""
    console = Console()
    return console if console.is_terminal else Console(width=1000)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _table(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=_words(title), title_justify="left", box=box.SIMPLE_HEAD)
    for column in rows[0]:
        number = not isinstance(rows[0][column], str)
        table.add_column(_words(column), justify="right" if number else "left")
    for row in rows:
        # Text, not markup: names from foreign networks may hold brackets.
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, int | float):
        large = abs(value) >= 1000
        return f"{round(value) if large else round(value, 3):,}"
    if isinstance(value, list):
        return ", ".join(map(_cell, value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{_words(k)} {_cell(v)}" for k, v in value.items())
    return str(value)
