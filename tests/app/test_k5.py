"""K = 5 from the outside: axes by name, 26 corners, asymmetric views, known tasks with an axis left alone."""
import json
import subprocess
import sys

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

# The page of more than two axes: parallel lines and tiles in place of squares, drawn without a complaint at any width.
page = output.parent / "page.html"
code, text = run("report", output, "--html", page)
assert code == 0, text
sys.path.append(str(SOURCE / "tests/report"))
from browser import Browser, find_browser  # noqa: E402

if find_browser() is None:
    print("(no Chromium here: the page is not drawn)")
else:
    browser = Browser(find_browser())
    for width in (1600, 360):
        browser.look(width)
        browser.open(page.as_uri())
        browser.wait_for("Number(document.documentElement.dataset.drawn || 0)")
        plots = browser.evaluate("document.querySelectorAll('.plot').length")
        assert plots > 5 and browser.evaluate("document.querySelectorAll('.plot svg.marks').length") == plots, plots
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        bad = [event for event in browser.events
               if event["method"] in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")]
        assert not bad, bad
        # A tile next to a learned i says so, one that is best on validation or on test too.
        tiles = browser.evaluate("[...document.querySelectorAll('.plot svg text')].map((text) => text.textContent).join('|')")
        assert all(mark in tiles for mark in "●■◆"), tiles
    browser.close()

# And the figures of examples/.
done = subprocess.run([sys.executable, SOURCE / "examples/figures.py", output / "results.h5"], capture_output=True, text=True)
assert done.returncode == 0 and done.stderr == "", done.stderr
assert {path.stem for path in (output / "figures").glob("*.pdf")} >= {"arms", "ranks", "learned", "paths", "pretraining", "time"}

# Colour cannot be asked for where it is grayed at random.
code, text = run("check", suite, "--set", "tasks[2].known.marks=\"10111\"")
assert code == 2 and "tasks[2].known.marks" in text and "mark grayscale with - to leave it alone" in text, text
code, text = run("check", suite, "--set", "axes=\"k6\"")
assert code == 2 and "k5" in text, text
print("ok")
