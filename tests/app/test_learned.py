"""How i is learned, from the outside: what validation chooses among, other descents, what trajectories record."""
import h5py
import numpy as np

from support import TINY, jobs, run, scratch

output = scratch() / "learned"
base = ["run", TINY, "--output", output, "--set", 'arms=["learned-projected", "learned-projected-discretised"]']


def learned(*settings):
    """Rows and trajectories of the two arms under some settings of downstream.projected; the encoders stay."""
    sets = [word for setting in settings for word in ("--set", f"downstream.projected.{setting}")]
    code, text = run(*base, *sets)
    assert code == 0, text
    table = jobs(output)
    table = table[table["encoder"] == "amortised"].reset_index()
    with h5py.File(output / "results.h5") as file:
        rows = {name: column[()][table["index"]] for name, column in file["trajectories"].items()}
    i = table[[name for name in table if name.startswith("i_")]].to_numpy()
    return {(row["arm"], row["repeat"]): {"i": i[n], "validation": row["validation_value"], "value": row["value"],
                                          "path": {name: cells[n][:rows["n_points"][n]] for name, cells in rows.items() if name != "n_points"}}
            for n, row in table.iterrows()}


by_loss, by_validation = learned("choice=loss"), learned("choice=validation")
changed = 0
for repeat in (0, 1):
    lowest, corner = by_loss["learned-projected", repeat], by_loss["learned-projected-discretised", repeat]
    chosen = by_validation["learned-projected", repeat]
    assert np.array_equal(corner["i"], np.where(lowest["i"] >= 0.5, 1.0, 0.0)), (corner["i"], lowest["i"])
    assert chosen["validation"] == max(lowest["validation"], corner["validation"])
    better = corner if corner["validation"] > lowest["validation"] else lowest  # of equals where the descent ended
    assert np.array_equal(chosen["i"], better["i"]) and chosen["value"] == better["value"], (chosen, better)
    # The same way down, where it ended, and then what was chosen with its validation value.
    path, before = chosen["path"], lowest["path"]
    assert np.array_equal(path["invariance"][:-1], before["invariance"]) and np.array_equal(path["invariance"][-1], chosen["i"])
    assert path["validation"][-1] == chosen["validation"] and np.isnan(path["validation"][:-1]).all()
    assert np.isfinite(path["loss"][:-2]).all() and np.isnan(path["loss"][-2:]).all()
    for column in ("encoder_passes", "seconds"):
        assert (np.diff(path[column]) >= 0).all() and path[column][-1] > path[column][0] > 0, path[column]

starts = learned("descent=quasi-newton", "readout=logistic", "starts=3", "first_batch=40", "steps=4")
for (arm, repeat), row in starts.items():
    assert ((row["i"] >= 0) & (row["i"] <= 1)).all() and np.isfinite(row["value"]), row

code, text = run(*base, "--set", "downstream.projected.descent=quasi-newton", "--set", "downstream.projected.beta1=0.5")
assert code == 2 and "downstream.projected.beta1" in text and "descent is quasi-newton" in text, text
code, text = run(*base, "--set", "downstream.projected.l2=[]")
assert code == 2 and "downstream.projected.l2" in text and "at least one penalty" in text, text
print("what was learned is what the settings say")
