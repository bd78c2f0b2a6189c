"""`invaria data`: list, verify and pack; a packed data set gives a run the same numbers as its pictures, which it no longer needs."""
import json
import shutil

import numpy as np
from PIL import Image

from support import TINY, assert_same_numbers, run, scratch

WORK = scratch()
DATA = WORK / "data"


def write_pictures():
    draw = np.random.default_rng(0)
    table = ["file,split,class,target_x,target_y"]
    for n in range(60):
        split, name = ("train" if n < 40 else "test"), ("cat" if n % 2 else "dog")
        pixels = draw.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        pixels[:, :, n % 2] //= 4
        (DATA / "own").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(DATA / f"own/{n}.png")
        table.append(f"{n}.png,{split},{name},{n / 2},{n / 3}")
    (DATA / "own/index.csv").write_text("\n".join(table))
    splits = [{"name": "train", "count": 40}, {"name": "test", "count": 20}]
    (DATA / "own.json").write_text(json.dumps({"name": "own", "kind": "table", "classes": 2, "splits": splits,
                                               "how_to_get": "draw it again"}))


def write_suite():
    suite = json.loads(TINY.read_text())
    tasks = [{"name": "class", "data": "own"}, {"name": "points", "data": "own", "kind": "regression"}]
    suite |= {"data": [{"name": "own", "size": 32}], "tasks": tasks, "repeats": 1, "sensitivity": {"data": ""},
              "encoders": [{"name": "fixed-default"}], "arms": []}
    suite["encoder_defaults"]["pretraining"] |= {"data": "own", "steps": 3}
    (WORK / "suite.json").write_text(json.dumps(suite))
    return WORK / "suite.json"


write_pictures()
suite = write_suite()

code, text = run("data", "list", "--data", DATA)
assert code == 0 and f"{DATA}/own" in text and "40 train, 20 test" in text, text
assert "  cifar10: download" in text and "  own: draw" not in text, text

code, text = run("data", "verify", "own", "--data", DATA)
assert code == 0 and "every file decodes" in text and text.rstrip().endswith("VALID"), text
code, text = run("data", "verify", "onw", "--data", DATA)
assert code == 2 and 'did you mean "own"' in text, text
assert run("data", "pack", "own")[0] == 2

whole, packed, gone = WORK / "whole", WORK / "packed", WORK / "gone"
code, text = run("run", suite, "--data", DATA, "--output", whole, ranks=2)
assert code == 0 and text.rstrip().endswith("VALID"), text

for pixels, settings in (((), ()), (("--pixels", 32), ()), ((), ("--set", "data[0].stream=true"))):
    shutil.rmtree(DATA / "own.pack", ignore_errors=True)
    shutil.rmtree(packed, ignore_errors=True)
    code, text = run("data", "pack", "own", "--data", DATA, *pixels)
    assert code == 0 and "own.pack/train." in text, text
    (DATA / "own").rename(gone)
    code, text = run("run", suite, "--data", DATA, "--output", packed, *settings, ranks=2)
    assert code == 0 and text.rstrip().endswith("VALID"), text
    # A streamed data set is known by its files, not its pixels.
    assert_same_numbers(whole, packed, but=("job_id", "split_hash") if settings else ())
    code, text = run("verify", whole, "--data", DATA)
    assert code == 0, text
    gone.rename(DATA / "own")
code, text = run("data", "pack", "own", "--data", DATA, "--pixels", 32)
shutil.rmtree(packed)
code, text = run("run", suite, "--data", DATA, "--output", packed, "--set", "data[0].stream=true", ranks=2)
assert code == 0 and text.rstrip().endswith("VALID"), text
(DATA / "own.pack/train.files").unlink()
code, text = run("check", suite, "--data", DATA, "--set", "data[0].stream=true")
assert code == 2 and "data[0].stream: found true" in text and "invaria data pack own" in text, text
(DATA / "own.pack/test.files").unlink()

code, text = run("data", "list", "--data", DATA)
assert "packed: test.32-whole-frame, train.32-whole-frame" in text, text
code, text = run("data", "verify", "own", "--data", DATA)
assert code == 0 and text.count("every record is as it was written") == 2, text
with open(DATA / "own.pack/train.32-whole-frame", "r+b") as file:
    file.seek(5000)
    byte = file.read(1)
    file.seek(5000)
    file.write(bytes([byte[0] ^ 1]))
code, text = run("data", "verify", "own", "--data", DATA)
assert code == 1 and "records have changed" in text and text.rstrip().endswith("INVALID: own"), text
(DATA / "own/7.png").write_bytes(b"no picture")
code, text = run("data", "verify", "own", "--data", DATA)
assert code == 1 and "train/7.png" in text, text
