# SPDX-License-Identifier: Apache-2.0
"""How many rows of a frame a sliding-window generator must hold to keep its pace."""

from hwgq.compile.window import Window


def rows_held(window: Window, channels: int, simd: int) -> int:
    """Find the smallest depth at which `hwgq_swg` is never slower than it must be.

    With it a frame takes the larger of its beats in and its beats out, in cycles, if
    nobody outside stalls, be the input there as early as possible or evenly spread.
    (Beats may wait before the module; were that to be avoided, too, it could need a
    row more.)

    Parameters
    ----------
    window
        Where the window lies.
    channels
        Elements of a pixel.
    simd
        Elements of a beat that is written.

    Returns
    -------
    int
        Rows; at least those of the frame that lie under a window.
    """
    rows, positions = window.input[0], window.output[0]
    per_row = window.input[1] * channels // min(simd, channels)
    per_position = window.output[1] * window.taps * channels // simd
    # In the steady state either the input or the output never pauses. Where it is the
    # input, positions begin as early as they can; else rows come as late as they may.
    if rows * per_row >= positions * per_position:
        came = [(row + 1) * per_row for row in range(_FRAMES * rows)]
        read = _earliest(window, came, per_position)
    else:
        read = [(row + 1) * per_position for row in range(_FRAMES * positions)]
        came = _latest(window, read, per_row, per_position)
    least = min(window.extent[0], rows)
    return max(least, *_occupied(window, came, read, per_row))


#: Frames of the schedule; those at either end are not yet in the steady state.
_FRAMES = 5


def _above(window: Window, row: int) -> int:
    """Count the rows of the frame above a row of the padded frame."""
    return min(max(row - window.pad[0], 0), window.input[0])


def _needs(window: Window) -> list[int]:
    """Count the rows of all frames that must have come for each row of positions."""
    (rows, _), (stride, _), (extent, _) = window.input, window.stride, window.extent
    return [
        frame * rows + _above(window, position * stride + extent)
        for frame in range(_FRAMES)
        for position in range(window.output[0])
    ]


def _frees(window: Window) -> list[int]:
    """Count the rows of all frames that are free after each row of positions."""
    (rows, _), (stride, _) = window.input, window.stride
    return [
        frame * rows + freed
        for frame in range(_FRAMES)
        for freed in (
            *(_above(window, o * stride) for o in range(1, window.output[0])),
            rows,
        )
    ]


def _earliest(window: Window, came: list[int], cycles: int) -> list[int]:
    """Find when each row of positions has been read; all times are ends of cycles."""
    ends: list[int] = []
    now = 0
    for need in _needs(window):
        now = max(now, came[need - 1] if need else 0) + cycles
        ends.append(now)
    return ends


def _latest(
    window: Window, read: list[int], per_row: int, per_position: int
) -> list[int]:
    """Find when each row must have come for positions that are read without a gap."""
    rows = _FRAMES * window.input[0]
    late = [read[-1]] * rows
    for need, end in zip(_needs(window), read, strict=True):
        if need:
            late[need - 1] = min(late[need - 1], end - per_position)
    for row in range(rows - 1, 0, -1):
        late[row - 1] = min(late[row - 1], late[row] - per_row)
    return late


def _occupied(
    window: Window, came: list[int], read: list[int], per_row: int
) -> list[int]:
    """Count the rows held when each row of a frame in the steady state begins."""
    frees = [(0, 0), *zip(read, _frees(window), strict=True)]
    rows = window.input[0]
    held = []
    for row in range(2 * rows, 3 * rows):
        begin = came[row] - per_row
        freed = max(free for end, free in frees if end <= begin)
        held.append(row + 1 - freed)
    return held
