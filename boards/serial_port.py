# SPDX-License-Identifier: Apache-2.0
"""A serial port as a transport, by pyserial."""

from collections.abc import Iterator
from contextlib import contextmanager

import serial
from serial.tools import list_ports

from hwgq.errors import TransportError


class SerialPort:
    """An open port.

    Parameters
    ----------
    name
        Such as ``/dev/ttyUSB0``, or the end of a pseudo-terminal.
    baud
        Bits per second.

    Raises
    ------
    TransportError
        If it cannot be opened, and from every method if it is gone.
    """

    def __init__(self, name: str, baud: int) -> None:
        self._name = name
        with _named(name, "Name one of these ports: " + _ports()):
            self._port = serial.Serial(name, baud, write_timeout=60, exclusive=True)

    def close(self) -> None:
        """Give the port back."""
        self._port.close()

    def write(self, data: bytes) -> None:
        """Send all of some bytes."""
        with _named(self._name):
            self._port.write(data)
            self._port.flush()

    def read(self, size: int, timeout: float) -> bytes:
        """Receive at most `size` bytes, as soon as there are any; see `Transport`."""
        with _named(self._name):
            self._port.timeout = timeout
            first: bytes = self._port.read(1)
            waiting = self._port.in_waiting if first else 0
            more: bytes = self._port.read(min(waiting, size - 1))
        return first + more


def _ports() -> str:
    return ", ".join(sorted(port.device for port in list_ports.comports())) or "(none)"


@contextmanager
def _named(
    name: str, remedy: str = "Plug the board in again, and give the port it has then"
) -> Iterator[None]:
    try:
        yield
    except (OSError, serial.SerialException) as error:
        raise TransportError(name, f"cannot be used ({error})", remedy) from error
