"""What is timed, against what, as ratios taken in one run: `python -m benchmarks.NAME` from the checkout.

Each writes what it measured to build/benchmarks/NAME.json.
"""
