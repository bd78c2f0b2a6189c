"""Prints what a results file says: arms x tasks, and the i that each task learned.

Usage: python examples/analyse.py results/<suite>/results.h5     (needs h5py, pandas, xarray, h5netcdf)
"""
import sys

import h5py
import pandas as pd
import xarray as xr

path = sys.argv[1]
with h5py.File(path) as file:
    verdict = "VALID" if file.attrs["valid"] else f"INVALID: {file.attrs['invalid_because']}"
    print(f"Suite {file.attrs['suite']}: {verdict}\n")
    axes = file["axis"].asstr()[()]
    jobs = pd.DataFrame({name: column.asstr()[()] if h5py.check_string_dtype(column.dtype) else column[()]
                         for name, column in file["jobs"].items()})

if jobs.empty:
    print("No tasks: the run was made to be measured, see /invariance")
    sys.exit()

# Rows of one value a job, arm, task and metric. A single grid point is an arm too; leave those out.
done = jobs[(jobs["status"] == "finished") & ~jobs["arm"].str.match(r"grid-[\d.]")]
print("Test values in percent, mean over repeats and encoder seeds:")
print((100 * done.pivot_table(index=["encoder", "arm"], columns=["task", "metric"], values="value")).round(1), "\n")

print("Learned i, mean over repeats and encoder seeds:")
learned = done[done["arm"].str.startswith("learned-")].drop_duplicates("job_id")  # a job has a row a metric
print(learned.groupby(["task", "arm"])[[f"i_{axis}" for axis in axes]].mean().round(2), "\n")

# The same numbers with their intervals, already summarised, as labelled arrays.
with xr.open_datatree(path, engine="h5netcdf") as tree:
    summary = tree["summary"].to_dataset().load()
print("Average rank and regret in test points:")
print(summary[["average_rank", "regret"]].to_dataframe().dropna().round(2))
