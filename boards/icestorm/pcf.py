# SPDX-License-Identifier: Apache-2.0
"""Read which port is at which pin from the constraints that nextpnr got."""

from hwgq.errors import BoardError


def read_pcf(text: str) -> dict[str, str]:
    """Read the pins of a design's ports.

    Parameters
    ----------
    text
        Text of the ``.pcf`` file.

    Returns
    -------
    dict of str to str
        Names of the ports, by pin of the package.

    Raises
    ------
    BoardError
        If a line has no port or no pin, or a pin has two ports.
    """
    ports: dict[str, str] = {}
    for line in text.splitlines():
        statement, _, rest = line.partition("#")[0].strip().partition(" ")
        if statement != "set_io":
            continue
        words = rest.split()
        if len(words) < 2 or words[-1] in ports:
            remedy = "Write one line 'set_io PORT PIN' for each port"
            raise BoardError("constraints", f"misplace a port: {line!r}", remedy)
        ports[words[-1]] = words[-2]
    return ports
