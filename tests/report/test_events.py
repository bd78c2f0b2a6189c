"""The event files of the small run, read by TensorBoard itself.

Run: python test_events.py path/to/report_write_small_run
"""
import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

if importlib.util.find_spec("tensorboard") is None:
    print("SKIPPED: no tensorboard")
    sys.exit(0)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

WRITE_SMALL_RUN = sys.argv.pop()


class EventsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.scratch.name)
        subprocess.run([WRITE_SMALL_RUN, cls.folder / "r.h5", cls.folder / "p.html", cls.folder / "events"], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def scalars(self, run, tag):
        events = EventAccumulator(str(self.folder / "events" / run))
        events.Reload()
        return [(event.step, round(event.value, 6)) for event in events.Scalars(tag)]

    def test_pretraining_curves_have_their_steps(self):
        self.assertEqual(self.scalars("encoders/amortised", "pretraining/loss"), [(0, 5.5), (1, 5.0), (2, 4.5), (3, 4.25)])
        self.assertEqual(self.scalars("encoders/fixed-default", "pretraining/top1")[-1], (3, 0.375))

    def test_the_path_of_i_has_its_points(self):
        run = "jobs/known-01-learned-projected-amortised-seed0-repeat1"
        self.assertEqual(self.scalars(run, "i/appearance"), [(0, 0.5), (1, 1.0)])
        self.assertEqual(self.scalars(run, "learning/loss"), [(0, 0.5), (1, 0.25)])

    def test_the_summary_has_the_means(self):
        self.assertEqual(self.scalars("summary", "known-01/learned-projected (top1)"), [(0, 0.92)])

    def test_what_has_no_curve_has_no_run(self):
        self.assertFalse((self.folder / "events/encoders/random").exists())


if __name__ == "__main__":
    unittest.main()
