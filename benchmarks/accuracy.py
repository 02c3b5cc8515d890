# SPDX-License-Identifier: Apache-2.0
"""Print a recipe's test accuracy over seeds 0, 1, 2, beside float trained alike.

Run `python -m benchmarks.accuracy [RECIPE]` in the project's root; the default recipe
is digits. Results are kept in runs/RECIPE/accuracy.json.
"""

import sys

import hwgq.train


def main() -> None:
    """Train what is not trained yet, and print the table."""
    recipe = sys.argv[1] if len(sys.argv) > 1 else "digits"
    print(hwgq.train.measure_accuracy(recipe))


if __name__ == "__main__":
    main()
