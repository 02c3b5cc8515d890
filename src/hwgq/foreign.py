# SPDX-License-Identifier: Apache-2.0
"""A border that no error of somebody else's library crosses."""

from collections.abc import Iterator
from contextlib import contextmanager

from hwgq.errors import HwgqError


@contextmanager
def guarded(
    error: type[HwgqError], place: str, doing: str, remedy: str
) -> Iterator[None]:
    """Turn whatever a library raises into `error`, with its text as the problem.

    qonnx and FINN raise bare `Exception`, `AssertionError` and `AttributeError` for
    networks that they cannot take, so that nothing narrower can be caught here.
    """
    try:
        yield
    except HwgqError:
        raise
    except Exception as cause:
        text = " ".join(str(cause).split())[:300] or type(cause).__name__
        raise error(place, f"{doing}: {text}", remedy) from cause
