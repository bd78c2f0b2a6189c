"""`scripts/gpu_check` goes through its steps on a machine without a GPU, and says so where one is asked for."""
import json
import shutil
import subprocess
import sys

from support import PROGRAM, SKIPPED, SOURCE, scratch

if PROGRAM != SOURCE / "build/release/invaria":
    print("SKIPPED: gpu_check is about build/release")
    sys.exit(SKIPPED)
folder = scratch()


def gpu_check(*options):
    done = subprocess.run([sys.executable, str(SOURCE / "scripts/gpu_check"), "--no-build", "--output", str(folder), *options], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


code, text = gpu_check("--device", "cpu")
assert code == 0, text
rows = {row["check"]: row for row in json.loads((folder / "gpu_check.json").read_text())}
assert rows["GPU tests"]["outcome"] == "ok" and "0 failed" in rows["GPU tests"]["figure"], rows
assert rows["first 10 losses, CPU and cpu"]["outcome"] == "ok" and rows["values of arms, CPU and cpu"]["outcome"] == "ok", rows
assert "train/nt-xent-2048" in rows and "TFLOP/s" in rows["products of bfloat16"]["figure"], rows

if shutil.which("nvidia-smi") is None:
    code, text = gpu_check()
    assert code == 3 and "no GPU" in text, text
print("ok")
