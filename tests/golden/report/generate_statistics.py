"""Golden values of paired comparisons from SciPy: writes statistics.json beside this file.

Run: .deps/python/bin/python tests/golden/report/generate_statistics.py
"""
import json
from pathlib import Path

import numpy as np
from scipy import stats

rng = np.random.default_rng(5)
cases = []
for n, shift in ((2, 0.1), (3, 0.02), (5, 0.3), (8, -0.05), (12, 0.04), (40, 0.02)):
    a = rng.normal(0.7, 0.05, n).round(3)
    b = (a + rng.normal(shift, 0.06, n)).round(3)
    interval = stats.ttest_rel(b, a).confidence_interval(0.95)
    exact = n <= 16
    test = stats.permutation_test((b - a,), np.mean, permutation_type="samples", vectorized=False, alternative="two-sided",
                                  n_resamples=np.inf if exact else 400_000, rng=np.random.default_rng(1))
    cases.append({"a": a.tolist(), "b": b.tolist(), "difference": float(np.mean(b - a)),
                  "half_width": float((interval.high - interval.low) / 2), "p": float(test.pvalue), "exact": exact})
# Differences of equal size, where many sums tie.
ties = [0.5, 0.5, -0.5, 0.5]
cases.append({"a": [0.0] * 4, "b": ties, "difference": float(np.mean(ties)),
              "half_width": float(stats.ttest_1samp(ties, 0).confidence_interval(0.95).high - np.mean(ties)),
              "p": float(stats.permutation_test((np.array(ties),), np.mean, permutation_type="samples", vectorized=False,
                                                n_resamples=np.inf).pvalue), "exact": True})
Path(__file__).with_name("statistics.json").write_text(json.dumps({"cases": cases}, indent=1) + "\n")
