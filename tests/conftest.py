# SPDX-License-Identifier: Apache-2.0
"""Options of the tests, and the signals that what they start is born with."""

import signal


def pytest_configure():
    # A shell's background jobs ignore Ctrl-C, and so would every program they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption(
        "--sabotage-seed",
        type=int,
        default=0,
        help="draws where the faults of tests/sabotage lie",
    )
