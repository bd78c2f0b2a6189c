"""One run at a time in a directory, on the data that it was begun with."""
import json
import time

import numpy as np
from PIL import Image

from support import TINY, jobs, run, scratch, spots_suite, start, write_spots

folder = scratch()

# Two at once: the second says who holds the directory, the first goes on undisturbed.
output = folder / "held"
first = start("run", TINY, "--output", output, "--set", "encoder_defaults.pretraining.steps=60", ranks=2)
deadline = time.monotonic() + 60
while not (output / "log.jsonl").exists():
    assert time.monotonic() < deadline and first.poll() is None, first.communicate()
    time.sleep(0.02)
code, message = run("run", TINY, "--output", output, ranks=2)
assert code == 3 and "another run writes here" in message and "process " in message, (code, message)
text, _ = first.communicate(timeout=240)
assert first.returncode == 0 and "VALID" in text.splitlines(), text

# A picture that changes between two sessions: what is finished was computed with another one.
data = folder / "data" / "spots"
write_spots(data, ".png")
path = folder / "spots-suite.json"
path.write_text(json.dumps(spots_suite("spots") | {"arms": ["corners"]}))
output = folder / "changed"
assert run("run", path, "--output", output, "--data", data.parent, ranks=2)[0] == 0
rows = len(jobs(output))
picture = data / "test/red/02.png"
whole = picture.read_bytes()
Image.fromarray(np.zeros((24, 24, 3), dtype=np.uint8)).save(picture)
MORE = ("--set", 'arms=["corners", "centre"]')
code, message = run("run", path, "--output", output, "--data", data.parent, *MORE, ranks=2)
assert code == 2 and "spots" in message and "test" in message and "another --output" in message, (code, message)
picture.write_bytes(whole)
code, message = run("run", path, "--output", output, "--data", data.parent, *MORE, ranks=2)
assert code == 0 and len(jobs(output)) > rows, (code, message)
print("ok")
