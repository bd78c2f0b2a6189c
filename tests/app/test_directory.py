"""One run at a time in a directory, on the data that it was begun with."""
import json
import time

import numpy as np
from PIL import Image

from support import TINY, jobs, run, scratch, start

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
rng = np.random.default_rng(0)
for split, count in (("train", 12), ("test", 4)):
    for label, colour in (("blue", 2), ("red", 0)):
        (data / split / label).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 60, (24, 24, 3), dtype=np.uint8)
            pixels[:, :, colour] += 180
            Image.fromarray(pixels).save(data / split / label / f"{number:02}.png")
(data.parent / "spots.json").write_text(json.dumps({
    "name": "spots", "kind": "image-folder", "classes": 2,
    "splits": [{"name": "train", "path": "train"}, {"name": "test", "path": "test"}]}))
suite = json.loads(TINY.read_text())
suite["data"] = [{"name": "spots", "size": 24}]
suite["encoder_defaults"]["pretraining"] |= {"data": "spots", "steps": 2, "global_batch": 8}
suite["tasks"] = [{"name": "spots", "data": "spots"}]
suite |= {"repeats": 1, "arms": ["corners"]}
path = folder / "spots-suite.json"
path.write_text(json.dumps(suite))
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
