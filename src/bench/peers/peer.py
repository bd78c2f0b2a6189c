"""What all adapters share: one request a line on standard input, one answer a line on standard output, both JSON objects.

prepare: make `peer` ready for what else the request says; answers with its version, or with a problem.
make:    run once and write what was made to `file` as floats; answers with its shape.
run:     run for at least `seconds`; answers with the seconds of one run.
"""
import importlib.metadata
import json
import os
import sys
import time

import numpy as np


def floats(request):
    """The array that a request names a file of."""
    return np.fromfile(request["input"], np.float32).reshape(request["shape"])


def serve(makers):
    """`makers[stage, peer](request)` returns a function that does the stage's work once and returns an array."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what libraries print is no answer
    ready = {}
    for line in sys.stdin:
        request = json.loads(line)
        peer = request["peer"]
        if request["do"] == "prepare":
            try:
                ready[peer] = makers[request["stage"], peer](request)
                answer = {"version": importlib.metadata.version(request.get("package", peer))}
            except ImportError as error:
                answer = {"problem": f"not installed: {error}"}
        elif request["do"] == "make":
            try:
                made = np.ascontiguousarray(ready[peer](), dtype=np.float32)
                made.tofile(request["file"])
                answer = {"shape": list(made.shape)}
            except Exception as error:  # whatever a library throws is why it has no rate
                answer = {"problem": f"{type(error).__name__}: {error}"}
        else:
            begin, runs = time.perf_counter(), 0
            while runs == 0 or time.perf_counter() - begin < request["seconds"]:
                ready[peer]()
                runs += 1
            answer = {"seconds": (time.perf_counter() - begin) / runs}
        print(json.dumps(answer), file=answers, flush=True)


def threads():
    return int(os.environ["OMP_NUM_THREADS"])
