"""`verify` finds one altered value, one altered hash, one altered checkpoint byte."""
import shutil

import h5py

from support import TINY, run, scratch

folder = scratch()
original = folder / "run"
assert run("run", TINY, "--output", original, ranks=1)[0] == 0
code, text = run("verify", original)
assert code == 0 and text.splitlines()[-1] == "VALID", text


def is_invalid(alter, named):
    altered = folder / "altered"
    shutil.rmtree(altered, ignore_errors=True)
    shutil.copytree(original, altered)
    alter(altered)
    code, text = run("verify", altered)
    assert code == 1 and text.splitlines()[-1].startswith("INVALID: "), (code, text)
    assert named in text, text


def set_cell(column, value):
    def alter(output):
        with h5py.File(output / "results.h5", "r+") as file:
            cells = file[f"jobs/{column}"]
            cells[1] = value(cells[1])
    return alter


is_invalid(set_cell("value", lambda value: value + 0.01), "recomputed")
is_invalid(set_cell("job_id", lambda _: "0" * 64), "job id")
is_invalid(set_cell("split_hash", lambda _: "0" * 64), "split hash")
is_invalid(set_cell("encoder_hash_after", lambda _: "0" * 64), "hash")


def flip_byte(share):
    def alter(output):
        path = next((output / "checkpoints").glob("amortised*/encoder.safetensors"))
        data = bytearray(path.read_bytes())
        data[int(share * (len(data) - 1))] ^= 1
        path.write_bytes(data)
    return alter


for share in (0.4, 0.7, 1.0):
    is_invalid(flip_byte(share), "encoder.safetensors")
print("ok")
