"""K = 5 from the outside: axes by name, 26 corners, asymmetric views, known tasks with an axis left alone."""
import json

import h5py

from support import SOURCE, jobs, run, scratch

suite = SOURCE / "tests/app/tiny_k5.json"
output = scratch() / "k5"
code, text = run("run", suite, "--output", output)
assert code == 0 and "VALID" in text, text

axes = ["crop", "jitter", "grayscale", "blur", "flip"]
table = jobs(output)
assert sorted(table["task"].unique()) == ["known-01111", "known-10-11", "known-11110"]
assert (table["status"] == "finished").all() and table["value"].between(0, 1).all()
learned = table[table["arm"] == "learned-projected"]
i = learned[[f"i_{axis}" for axis in axes]].astype(float)
assert i.apply(lambda column: column.between(0, 1)).all(axis=None) and (i != 0.5).any(axis=None), i

with h5py.File(output / "results.h5") as file:
    settings = json.loads(file.attrs["settings"])
    corner = file["encoders/amortised/pretraining/corner"].asstr()[()]
# The record spells out what the suite named, and what it overrode.
assert [axis["name"] for axis in settings["axes"]] == axes
strengths = settings["encoders"][0]["pretraining"]["augment"]
assert strengths["preset"] == "byol" and strengths["crop_area"] == [0.2, 1] and strengths["blur"]["p"] == 1
assert strengths["second_view"]["blur_p"] == 0.1 and strengths["second_view"]["flip_p"] is None
# Corners are met with at least two ones, and not always the same.
assert all(len(bits) == 5 and bits.count("1") >= 2 for bits in corner) and len(set(corner)) > 3, corner

code, text = run("verify", output)
assert code == 0 and text.splitlines()[-1] == "VALID", text

# Colour cannot be asked for where it is grayed at random.
code, text = run("check", suite, "--set", "tasks[2].known.marks=\"10111\"")
assert code == 2 and "tasks[2].known.marks" in text and "mark grayscale with - to leave it alone" in text, text
code, text = run("check", suite, "--set", "axes=\"k6\"")
assert code == 2 and "k5" in text, text
print("ok")
