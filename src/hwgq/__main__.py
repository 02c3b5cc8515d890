# SPDX-License-Identifier: Apache-2.0
"""`python -m hwgq` is `hwgq`."""

from hwgq.cli import main

main()
