# SPDX-License-Identifier: Apache-2.0
"""Train networks with 1-bit weights and 2-bit activations, and compile them to FPGAs."""

__version__ = "0.1.0"
