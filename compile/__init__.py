# SPDX-License-Identifier: Apache-2.0
"""Compile a QONNX network to verified hardware."""
