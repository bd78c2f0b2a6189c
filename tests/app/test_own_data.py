"""Pictures of one's own: what `check` says of them, and that a run notices pictures that changed or are missing."""
import json
import re

import numpy as np
from PIL import Image

from support import TINY, run, scratch

WORK = scratch()


def write_pictures(name, grey=None):
    """40 and 20 pictures of two classes as an ImageFolder, uncompressed size alike."""
    draw = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 20)):
        for n in range(count):
            pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            pixels[:, :, n % 2] //= 4
            folder = WORK / name / split / ("cat" if n % 2 else "dog")
            folder.mkdir(parents=True, exist_ok=True)
            if grey is not None:
                pixels[:] = grey
            data = folder / f"{n:02}.png"
            Image.fromarray(pixels).save(data, compress_level=0)
    splits = [{"name": split, "path": split} for split in ("train", "test")]
    manifest = {"name": name, "kind": "image-folder", "classes": 2, "splits": splits}
    (WORK / f"{name}.json").write_text(json.dumps(manifest))


def write_suite(name, **settings):
    suite = json.loads(TINY.read_text())
    suite |= {"data": [{"name": name, "size": 32} | settings], "tasks": [{"name": "own", "data": name}], "repeats": 1,
              "sensitivity": {"data": ""}, "encoders": [{"name": "fixed-default"}], "arms": []}
    suite["encoder_defaults"]["pretraining"] |= {"data": name, "steps": 3}
    (WORK / f"{name}.suite.json").write_text(json.dumps(suite))
    return WORK / f"{name}.suite.json"


# An ImageFolder and a manifest of five lines.
write_pictures("own")
suite = write_suite("own")
code, text = run("check", suite)
assert code == 0 and "own: 40 train, 20 test samples, 2 classes" in text, text

# A table of pictures; a row of a split that is misspelt is not left out in silence.
rows = [f"{split}/{name}/{n:02}.png,{split},{name},{n},{n / 2}" for split, count in (("train", 40), ("test", 20))
        for n, name in enumerate(["dog", "cat"] * (count // 2))]
(WORK / "table").symlink_to(WORK / "own")
splits = [{"name": "train"}, {"name": "test"}]
(WORK / "table.json").write_text(json.dumps({"name": "table", "kind": "table", "classes": 2, "splits": splits}))
for table, code, told in ((rows, 0, "table: 40 train, 20 test samples, 2 classes, 2 targets"),
                          ([*rows, "", rows[0].replace("train,", "trian,")], 2, 'table/index.csv, row 63, 1 in all')):
    (WORK / "own/index.csv").write_text("\n".join(["file,split,class,target_x,target_y", *table]))
    found, text = run("check", write_suite("table"))
    assert found == code and told in text, text
(WORK / "own/index.csv").unlink()

# Other pictures under the same names, of the same sizes.
run_it = ("run", suite, "--output", WORK / "out")
code, text = run(*run_it)
assert code == 0 and text.rstrip().endswith("\nVALID"), text
code, text = run("verify", WORK / "out", "--data", WORK)
assert code == 0, text
sizes = {path: path.stat().st_size for path in (WORK / "own").rglob("*.png")}
write_pictures("own", grey=0)
assert sizes == {path: path.stat().st_size for path in sizes}
code, text = run("verify", WORK / "out", "--data", WORK)
assert code == 1 and re.search(r"^INVALID: .*(split|contents)", text, re.MULTILINE), text
more = json.dumps([{"name": "fixed-default"}, {"name": "random", "pretraining": {"steps": 0}}])
code, text = run(*run_it, "--set", f"encoders={more}")
assert code == 2 and "own: hash of names, labels, targets and contents of train" in text, text

# Left-out pictures that a batch needs: found by `check --decode`, and by `run` on all ranks before anything is trained.
write_pictures("torn")
for n in range(10):
    (WORK / "torn/train" / ("cat" if n % 2 else "dog") / f"{n:02}.png").write_bytes(b"no picture")
suite = write_suite("torn", on_corrupt="leave-out")
assert run("check", suite)[0] == 0
WANTED = "at most 30, the samples of split train"
for code, text in (run("check", suite, "--decode"), run("run", suite, "--output", WORK / "out-torn", ranks=2)):
    assert code == 2 and WANTED in text and "encoders[0].pretraining.global_batch" in text, text
    assert text.count(WANTED) == 1, text
assert not list((WORK / "out-torn").glob("checkpoints/*/*")), "something was trained"
