# SPDX-License-Identifier: Apache-2.0
"""Progress on standard error: bars with the time left, or a line a step in a log."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn
from rich.progress import track as rich_track

T = TypeVar("T")


def track(
    iterable: Iterable[T], description: str, total: float | None = None
) -> Iterator[T]:
    """Go through `iterable`, with a bar that shows how much of it is left.

    Parameters
    ----------
    description
        What is being done, a few words.
    total
        Length of `iterable`, where it cannot say so itself.
    """
    console = _console()
    if not console.is_terminal:
        tell(description)
        yield from iterable
        return
    yield from rich_track(
        iterable, escape(description), total, console=console, transient=True
    )


@contextmanager
def step(description: str) -> Iterator[None]:
    """Show that something of unknown length is being done, then how long it took."""
    console = _console()
    start = time.monotonic()
    if console.is_terminal:
        columns = (SpinnerColumn(), *Progress.get_default_columns()[:1])
        with Progress(
            *columns, TimeElapsedColumn(), console=console, transient=True
        ) as progress:
            progress.add_task(escape(description), total=None)
            yield
    else:
        yield
    tell(f"{description}: {time.monotonic() - start:.1f} s")


def tell(line: str) -> None:
    """Write a line about the progress to standard error."""
    _console().print(line, markup=False, highlight=False)


def _console() -> Console:
    """Make a console for what standard error is now; tests and logs redirect it."""
    return Console(stderr=True, soft_wrap=True)
