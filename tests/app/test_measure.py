"""`invaria measure` from the outside: /invariance in the results, under two ranks, verified, reported, and altered."""
import json

import h5py
import numpy as np
import xarray as xr

from support import TINY, run, scratch

output = scratch() / "measured"
code, text = run("run", TINY, "--output", output, "--set", "tasks=[]", "--set", "arms=[\"centre\"]")
assert code == 0, text

code, text = run("measure", output)
assert code == 2 and "measure.data" in text and "--set data=synthetic-shapes" in text, text
code, text = run("measure", output, "--set", "data=synthetic-shape", "--set", "image=3")
assert code == 2 and "synthetic-shapes" in text, text
code, text = run("measure", output / "results.h5", "--set", "data=synthetic-shapes")
assert code == 2 and "directory" in text, text

small = ["--set", "data=synthetic-shapes", "--set", "images=40", "--set", "strengths=5", "--set", "along_i=3"]
code, text = run("measure", output, *small, ranks=2)
assert code == 0 and "curves of similarity" in text, text

with xr.open_datatree(output / "results.h5", engine="h5netcdf") as tree:
    table = tree["invariance/measurements"].to_dataset(inherit=False).load().to_dataframe()
    value, strength = tree["invariance/value"].values, tree["invariance/strength"].values
# 5 points of the amortised encoder, one of the baseline; 12 transformations, 3 kinds of similarity.
assert len(table) == 6 * 12 * 3, len(table)
assert set(table["transformation"]) == {"rotation", "translation", "scale", "shear", "flip", "brightness", "contrast", "saturation",
                                        "hue", "blur", "grayscale", "sharpness"}
assert (table["n_strengths"] == np.where(table["transformation"].isin(["flip", "grayscale"]), 1, 5)).all()
measured = json.loads(table["settings"].iloc[0])
assert measured["images"] == 40 and table["settings"].nunique() == 1
for row, (_, line) in enumerate(table.iterrows()):
    n = line["n_strengths"]
    assert np.isfinite(value[row, :n]).all() and np.isnan(value[row, n:]).all() and np.isnan(strength[row, n:]).all()
    assert (value[row, :n] >= 0).all() if line["similarity"] == "mahalanobis" else (np.abs(value[row, :n]) <= 1 + 1e-9).all()
    if line["transformation"] == "rotation":
        assert list(strength[row]) == [-180, -90, 0, 90, 180]
        assert abs(value[row, 2] - (line["similarity"] != "mahalanobis")) < 0.02

code, text = run("verify", output)
assert code == 0 and text.splitlines()[-1] == "VALID", text
code, text = run("report", output)
assert code == 0 and "Measured invariance: cosine" in text and "Measured invariance: Mahalanobis" in text, text
# A run that has nothing more to do keeps what was measured.
code, text = run("run", TINY, "--output", output, "--set", "tasks=[]", "--set", "arms=[\"centre\"]")
assert code == 0, text
with h5py.File(output / "results.h5", "r+") as file:
    assert len(file["invariance/measurements/encoder"]) == len(table)
    file["invariance/value"][3, 0] += 1e-6
code, text = run("verify", output)
assert code == 1 and "it is not what its segment has" in text, text
print("ok")
