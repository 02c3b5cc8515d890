# SPDX-License-Identifier: Apache-2.0
"""Names of a netlist, short enough to be traced.

Verilator makes a hash of a name of more than some hundred letters, and 5.48 stops with
an internal error where it shall trace it.
"""

import re

_SHORT = 40
_LONG_NAME = re.compile(r"\\\S{40,} ")


def with_short_names(netlist: str) -> str:
    """Cut the longest names of a netlist, and make them differ by numbers.

    Parameters
    ----------
    netlist
        Verilog as yosys writes it, every unusual name of which is escaped.
    """
    names = dict.fromkeys(_LONG_NAME.findall(netlist))
    short = {name: f"\\{name[1:_SHORT]}#{n} " for n, name in enumerate(names)}
    return _LONG_NAME.sub(lambda found: short[found[0]], netlist)
