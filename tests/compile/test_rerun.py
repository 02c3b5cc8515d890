# SPDX-License-Identifier: Apache-2.0
"""As few frames are kept as still go wrong."""

import pytest

from hwgq.compile.rerun import fewest


@pytest.mark.parametrize(
    ("first", "last"), [(5, 5), (4, 5), (0, 5), (2, 5), (5, 6), (3, 9), (0, 19)]
)
def test_the_fewest_frames_are_found(first: int, last: int) -> None:
    tried = []

    def wrong(frames: range) -> bool:
        tried.append(frames)
        return first in frames and last in frames

    found = fewest(min(5, last), 20, wrong)
    assert (found.start, found.stop) == (first, last + 1)
    assert found in tried or found == range(20)
    assert len(tried) <= 11


def test_one_frame_is_tried_alone_first() -> None:
    assert fewest(7, 1000, lambda frames: 7 in frames and len(frames) == 1) == range(
        7, 8
    )
