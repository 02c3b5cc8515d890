# SPDX-License-Identifier: Apache-2.0
"""Options of the tests."""


def pytest_addoption(parser):
    parser.addoption(
        "--sabotage-seed",
        type=int,
        default=0,
        help="draws where the faults of tests/sabotage lie",
    )
