"""examples/figures.py on the small run: it draws each figure and warns of nothing.

Run: python test_figures.py path/to/report_write_small_run path/to/figures.py
"""
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

missing = [name for name in ("matplotlib", "xarray", "h5netcdf") if importlib.util.find_spec(name) is None]
if missing:
    print(f"SKIPPED: no {', '.join(missing)}")
    sys.exit(0)

write_small_run, figures = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    subprocess.run([write_small_run, f"{folder}/results.h5"], check=True)
    run = subprocess.run([sys.executable, figures, f"{folder}/results.h5"], capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr == "", run.stderr
    drawn = sorted(Path(folder, "figures").glob("*.pdf"))
    assert [path.stem for path in drawn] == ["arms", "grid", "learned", "paths", "pretraining", "ranks", "sensitivity", "time"], drawn
    assert all(path.read_bytes().startswith(b"%PDF") for path in drawn)
print("ok")
