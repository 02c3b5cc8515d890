# SPDX-License-Identifier: Apache-2.0
"""Train networks with 1-bit weights and compile them to verified FPGA bitstreams."""

__version__ = "0.1.0"
