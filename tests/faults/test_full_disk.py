"""A full disk, a read-only one, an output that is a file: exit 3 or 2 with the reason, nothing half-written.

With more room the same command goes on to the numbers of an undisturbed run.
"""
import atexit
import os
import subprocess

from support import TINY, assert_same_numbers, assert_whole, events, run, scratch, skip

if os.geteuid() != 0:
    skip("mounting a small file system needs root")
folder = scratch()
disk = folder / "disk"
disk.mkdir()


def mount(options):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, text=True)


mounted = mount("size=32k")
if mounted.returncode != 0:
    skip(f"no mount here: {mounted.stderr.strip()}")
atexit.register(subprocess.run, ["umount", "--lazy", disk])

reference = folder / "reference"
assert run("run", TINY, "--output", reference, ranks=2)[0] == 0


def runs_full(size_KiB, where, checkpoint_every_s):
    """A run with that much room runs into its end at `where`."""
    assert mount(f"remount,size={size_KiB}k").returncode == 0
    code, message = run("run", TINY, "--output", output, "--set", f"checkpoint_every_s={checkpoint_every_s}", ranks=2,
                        timeout=60)
    assert code == 3, (size_KiB, code, message)
    assert str(output / where) in message and "No space left on device" in message, message
    assert "internal error" not in message and "terminate called" not in message, message
    assert not (output / "results.h5").exists()
    assert_whole(output)


output = disk / "run"
# Room for the finished encoders; the training state with its moments takes three times as much.
encoders_KiB = sum(path.stat().st_size for path in reference.glob("checkpoints/*/*")) // 1024
runs_full(encoders_KiB + 1024, "checkpoints/amortised-seed0/state.safetensors", 0.02)
# Nor is the room that is left beside them enough for all segments.
runs_full(encoders_KiB + 160, "segments/", 60)
finished = [path.name for path in (output / "segments").glob("*.h5")]
assert finished and not (output / "results.h5").exists()
assert mount("remount,size=64m").returncode == 0
code, message = run("run", TINY, "--output", output, ranks=2)
assert code == 0, message
assert_whole(output)
assert_same_numbers(reference, output)
assert run("verify", output)[0] == 0
ends = [event["end"] for event in events(output) if event["event"] == "run_end"]  # a full disk may have no room for its own
assert ends[-1] == "finished" and set(ends[:-1]) <= {"error"}, ends
print(f"{len(finished)} segments were there before the disk grew")

# Read-only: a run that would begin, and one that is finished.
assert mount("remount,ro").returncode == 0
for output, named in ((disk / "new", "new"), (disk / "run", "run")):
    code, message = run("run", TINY, "--output", output, ranks=2, timeout=60)
    assert code == 3 and str(disk / named) in message and "Read-only file system" in message, (code, message)
code, message = run("doctor", "--output", disk)
assert code == 3 and "Read-only file system" in message and "give another --output" in message, message

# A file where the directory should be.
output = folder / "file"
output.write_text("in the way")
code, message = run("run", TINY, "--output", output, ranks=2, timeout=60)
assert code == 2 and f"{output}: exists and is no directory" in message, (code, message)
code, message = run("run", TINY, "--output", output / "below", ranks=2, timeout=60)
assert code == 3 and "Not a directory" in message, (code, message)
assert output.read_text() == "in the way"
print("full and read-only disks are named, and with room the run goes on")
