"""examples/analyse.py on the small run of the report tests, whose answers are known.

Run: python test_analyse.py path/to/report_write_small_run path/to/analyse.py
"""

import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

missing = [name for name in ("h5py", "pandas", "xarray", "h5netcdf") if importlib.util.find_spec(name) is None]
if missing:
    print(f"SKIPPED: no {', '.join(missing)}")
    sys.exit(0)

ANALYSE = Path(sys.argv.pop())
WRITE_SMALL_RUN = sys.argv.pop()


class AnalyseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "results.h5"
            subprocess.run([WRITE_SMALL_RUN, path], check=True)
            run = subprocess.run([sys.executable, ANALYSE, path], check=True, capture_output=True, text=True)
        cls.output, cls.errors = run.stdout, run.stderr

    def cells(self, title, *labels):
        """The numbers of the line with these labels in the part that begins with `title`."""
        part = self.output.split(title)[1].split("\n\n")[0]
        lines = [line.split() for line in part.splitlines()]
        found = [line for line in lines if line[:len(labels)] == list(labels) or line[:1] == list(labels[-1:])]
        self.assertEqual(len(found), 1, part)
        return [float(cell) for cell in found[0] if cell.replace(".", "").replace("-", "").isdigit()]

    def test_says_whether_the_run_is_valid(self):
        self.assertIn("Suite small: VALID\n", self.output)

    def test_prints_means_in_percent(self):
        # known-01 mean_per_class, known-01 top1, known-10 top1
        self.assertEqual(self.cells("Test values", "amortised", "learned-projected"), [92.0, 92.0, 72.0])
        self.assertEqual(self.cells("Test values", "amortised", "oracle"), [93.0, 74.0])
        self.assertEqual(self.cells("Test values", "fixed-default", "fixed-default"), [89.0, 34.0])

    def test_leaves_single_grid_points_out_but_not_the_best(self):
        part = self.output.split("Learned i")[0]
        self.assertIn("grid-best", part)
        self.assertNotIn("grid-0", part)

    def test_prints_the_learned_invariance(self):
        self.assertEqual(self.cells("Learned i", "known-01", "learned-projected"), [0.12, 1.0])
        self.assertEqual(self.cells("Learned i", "known-10", "learned-projected"), [1.0, 0.12])

    def test_prints_rank_and_regret(self):
        self.assertEqual(self.cells("Average rank", "amortised", "learned-projected"), [2.75, 1.5])
        self.assertEqual(self.cells("Average rank", "random", "random"), [5.5, 53.5])

    def test_warns_of_nothing(self):
        self.assertEqual(self.errors, "")


if __name__ == "__main__":
    unittest.main()
