"""What is timed, against what, as ratios taken in one run: `python -m benchmarks.NAME` from the checkout."""
