# SPDX-License-Identifier: Apache-2.0
import re

from hwgq.compile.short_names import with_short_names


def test_long_names_stay_different_and_short_ones_stay() -> None:
    long = "\\" + "u_core." * 20
    text = (
        f"wire {long}a ;\nwire [1:0] {long}b ;\nassign \\x.y  = {long}a ^ {long}b [1];"
    )
    short = with_short_names(text)
    names = re.findall(r"\\\S+ ", short)
    assert max(map(len, names)) < 50
    assert [names.index(name) for name in names] == [0, 1, 2, 0, 1]
    back = dict(zip(names, re.findall(r"\\\S+ ", text), strict=True))
    assert re.sub(r"\\\S+ ", lambda name: back[name[0]], short) == text
