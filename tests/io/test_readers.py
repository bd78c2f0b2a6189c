"""What invaria::io writes, opened by trusted readers: h5py, pandas, xarray, and the safetensors layout read by hand.

Run: python test_readers.py path/to/write_examples
"""

import json
import math
import struct
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

try:
    import h5py
    import numpy as np
    import pandas as pd
    import xarray as xr
except ImportError as error:
    print(f"SKIPPED: {error}")
    sys.exit(0)

WRITE_EXAMPLES = sys.argv.pop(1)
JOB_COLUMNS = """job_id encoder encoder_seed arm task metric value validation_value value_low value_high repeat protocol shots readout_l2 i_spatial i_appearance
bn_statistics bn_hash split_hash halves seconds samples_per_s encoder_passes rank host encoder_hash_before encoder_hash_after status error""".split()
ROOT_ATTRIBUTES = """schema suite settings created finished version git_commit git_dirty compiler flags libraries hosts slurm world_size valid
invalid_because wall_s energy_J""".split()


def groups_of(file):
    """Every group of an h5py file, the root first."""
    groups = ["/"]
    file.visititems(lambda name, item: groups.append("/" + name) if isinstance(item, h5py.Group) else None)
    return groups


class ResultsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("error")
        cls.scratch = tempfile.TemporaryDirectory()
        cls.directory = Path(cls.scratch.name)
        subprocess.run([WRITE_EXAMPLES, cls.directory], check=True)
        cls.path = cls.directory / "results.h5"

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_every_group_opens_in_h5py_and_xarray(self):
        for name in ("results.h5", "empty.h5"):
            with h5py.File(self.directory / name) as file:
                groups = groups_of(file)
                self.assertIn("/jobs", groups)
                self.assertIn("/trajectories", groups)
                for group in groups:
                    for item in file[group].values():
                        if isinstance(item, h5py.Dataset):
                            item[()]
            for group in groups:
                with self.subTest(file=name, group=group), xr.open_dataset(
                    self.directory / name, engine="h5netcdf", group=group
                ) as dataset:
                    dataset.load()

    def test_the_whole_opens_as_a_datatree_with_coordinates(self):
        with xr.open_datatree(self.path, engine="h5netcdf") as tree:
            tree.load()
            self.assertEqual(list(tree["axis"].values), ["spatial", "appearance"])
            self.assertEqual(tree["jobs"]["value"].dims, ("job",))
            self.assertEqual(tree["trajectories"]["invariance"].dims, ("job", "point", "axis"))
            i = tree["trajectories"]["invariance"].sel(axis="appearance")
            self.assertEqual(list(i[0].values), [0.5, 0.75, 1.0])
            self.assertEqual(list(i[1].values[:1]), [0.5])
            self.assertTrue(np.isnan(i[1].values[1:]).all() and np.isnan(i[2:].values).all())
            self.assertEqual(list(tree["trajectories"]["n_points"].values), [3, 1, 0, 0, 0])
            mean = tree["summary"]["mean"]
            self.assertEqual(mean.dims, ("arm", "task", "metric"))
            self.assertEqual(float(mean.sel(arm="learned-projected", task="caltech101", metric="top1")), 0.5)
            self.assertTrue(math.isnan(float(mean.sel(arm="fixed-default", task="caltech101", metric="top1"))))
            self.assertEqual(tree["summary"]["regret"].dims, ("arm",))
            sensitivity = tree["sensitivity"]
            self.assertEqual(sensitivity.dims, ("encoder", "corner", "transformation"))
            self.assertEqual(float(sensitivity.sel(encoder="amortised-seed1", corner="01", transformation="hue")), 0.25)
            measured = tree["invariance"]
            self.assertEqual(measured["value"].dims, ("measurement", "strength_number"))
            self.assertEqual(list(measured["strength"][0].values), [-180.0, 0.0, 180.0])
            self.assertEqual(list(measured["value"][0].values), [0.5, 1.0, 0.25])
            self.assertTrue(np.isnan(measured["value"][1].values[1:]).all())
            table = measured["measurements"].to_dataset(inherit=False)
            self.assertEqual(list(table["encoder"].values), ["amortised", "amortised", "fixed-default"])
            self.assertEqual(list(table["i_spatial"].values), [0.0, 0.0, 1.0])
            self.assertEqual(list(table["n_strengths"].values), [3, 1, 1])
            loss = tree["encoders/amortised-seed0/pretraining/loss"]
            self.assertEqual(loss.dims, ("step",))
            self.assertEqual(list(loss["step"].values), [1, 2, 3])

    def test_empty_results_open_as_a_datatree(self):
        with xr.open_datatree(self.directory / "empty.h5", engine="h5netcdf") as tree:
            tree.load()
            self.assertEqual(tree["jobs"]["value"].shape, (0,))

    def test_jobs_are_a_data_frame(self):
        with h5py.File(self.path) as f:
            table = pd.DataFrame({k: f["jobs"][k][()] for k in f["jobs"]})
            self.assertEqual(list(table.columns), JOB_COLUMNS)
            self.assertEqual(len(table), 5)
            self.assertEqual(f["jobs/host"].asstr()[0], "nøde")
            self.assertEqual(table["value"].tolist(), [0.0, 0.125, 0.25, 0.375, 0.5])
            self.assertTrue(math.isnan(table["i_spatial"][4]))
            for name, column in f["jobs"].items():
                self.assertEqual(column.ndim, 1, name)
                self.assertIn("long_name", column.attrs, name)
                self.assertEqual([d.keys() for d in column.dims], [["job"]], name)
                text = h5py.check_string_dtype(column.dtype)
                if text:
                    self.assertEqual((text.encoding, text.length), ("utf-8", None), name)
            self.assertEqual(f["jobs/seconds"].attrs["units"], "s")

    def test_attributes_are_complete(self):
        with h5py.File(self.path) as f:
            self.assertEqual(set(f.attrs), set(ROOT_ATTRIBUTES))
            self.assertEqual(f.attrs["schema"], 2)
            self.assertEqual(f.attrs["valid"], 0)
            self.assertEqual(json.loads(f.attrs["settings"]), {"name": "example"})
            self.assertTrue(math.isnan(f.attrs["energy_J"]))
            encoder = f["encoders/fixed-default"].attrs
            self.assertEqual(encoder["status"], "failed")
            self.assertEqual(encoder["parameters"], 5)
            self.assertEqual(set(f["encoders"]), {"amortised-seed0", "amortised-seed1", "fixed-default"})
            data = f["data/caltech101"].attrs
            self.assertEqual(json.loads(data["splits"]), {"train": "h1", "test": "h2"})
            self.assertEqual(json.loads(data["files_left_out"]), ["a/b.jpg", "é"])
            self.assertEqual(json.loads(data["settings"]), {"size": 64})
            self.assertEqual(f["tasks/pictures/name"].asstr()[()].tolist(), ["a.jpg", "b.jpg", "c.jpg"])
            self.assertEqual(f["tasks/pictures/draw"][()].tolist(), [0, 0, 2])

    def test_a_segment_opens_in_h5py(self):
        with h5py.File(self.directory / "0-1.h5") as f:
            self.assertEqual(f["jobs/job_id"].asstr()[()].tolist(), [f"job{n}" for n in range(5)])
            self.assertEqual(f["sensitivity/value"][()].tolist(), [0.25, 0.25, 0.0, 0.0])

    def test_the_bytes_of_a_safetensors_file_are_as_its_format_says(self):
        raw = (self.directory / "example.safetensors").read_bytes()
        (length,) = struct.unpack_from("<Q", raw)
        header, data = json.loads(raw[8 : 8 + length]), raw[8 + length :]
        self.assertEqual((8 + length) % 64, 0)
        self.assertEqual(header.pop("__metadata__"), {"format": "pt"})
        dtypes = {"F32": np.float32, "I64": np.int64, "U8": np.uint8}
        tensors = {
            name: np.frombuffer(data[slice(*entry["data_offsets"])], dtypes[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()
        }
        self.assertEqual(tensors["layer.weight"].tolist(), [[1.5, -2.0, 3.25], [0.0, 0.125, 6.0]])
        self.assertEqual(tensors["step"].tolist(), -7)
        self.assertEqual(tensors["flags"].tolist(), [1, 2, 255])
        self.assertEqual(sum(t.nbytes for t in tensors.values()), len(data))


if __name__ == "__main__":
    unittest.main()
