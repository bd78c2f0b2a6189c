"""Any grouping of operations into axes: one axis and three, from pretraining, watched by monitors, to the report."""
import json

import h5py

from support import TINY, jobs, run, scratch

WORK = scratch()
GROUPINGS = {
    "one": [("all", ["crop", "flip", "jitter", "grayscale", "blur", "solarize"])],
    "three": [("place", ["crop", "flip"]), ("colour", ["jitter", "grayscale", "solarize"]), ("sharpness", ["blur"])],
}
for name, axes in GROUPINGS.items():
    suite = json.loads(TINY.read_text())
    suite["axes"] = [{"name": axis, "operations": operations} for axis, operations in axes]
    pretraining = suite["encoder_defaults"]["pretraining"]
    pretraining |= {"steps": 6, "monitor": {"every": 3, "data": "synthetic-shapes", "split": "test", "images": 40}}
    suite |= {"repeats": 1, "downstream": {"grid_per_axis": 2, "projected": {"steps": 3}}}
    output = WORK / name
    (WORK / f"{name}.json").write_text(json.dumps(suite))
    code, text = run("run", WORK / f"{name}.json", "--output", output, ranks=2)
    assert code == 0 and "VALID" in text, text

    table = jobs(output)
    k = len(axes)
    columns = [f"i_{axis}" for axis, _ in axes]
    assert [column for column in table.columns if column.startswith("i_")] == columns, table.columns
    learned = table[table["arm"] == "learned-projected"]
    assert len(learned) == 1 and learned[columns].astype(float).stack().between(0, 1).all()
    assert table["arm"].str.startswith("corner-").sum() == 2 ** k
    assert table["arm"].str.match(r"grid-[01]").sum() == 2 ** k
    # Each corner of pretraining is judged at steps 3 and 6, by neighbours and by a readout.
    with h5py.File(output / "results.h5") as file:
        for encoder, n_corners in (("amortised", 2 ** k - 1), ("fixed-default", 1)):
            monitor = file[f"encoders/{encoder}/monitor"]
            assert sorted(monitor["step"][()]) == sorted([3, 6] * n_corners), (encoder, monitor["step"][()])
            assert len(set(monitor["corner"].asstr()[()])) == n_corners
            for column in ("knn_top1", "readout_top1"):
                assert ((0 <= monitor[column][()]) & (monitor[column][()] <= 1)).all()
    assert run("report", output, "--html", output / "page.html")[0] == 0
    code, text = run("report", output)
    assert code == 0 and all(f" {axis}" in text for axis, _ in axes), text
    assert "chart-monitor-knn" in (output / "page.html").read_text()
    code, text = run("verify", output)
    assert code == 0 and text.splitlines()[-1] == "VALID", text
print("ok")
