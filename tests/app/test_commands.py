"""`schema`, `--help`, `--version`, `plan` and `doctor` as a user meets them."""
import json
import os

import jsonschema

from support import SOURCE, TINY, run, scratch

code, text = run("schema")
schema = json.loads(text)
assert code == 0
jsonschema.Draft202012Validator.check_schema(schema)
for suite in [*(SOURCE / "suites").glob("*.json"), TINY]:
    if suite.name != "schema.json":
        jsonschema.validate(json.loads(suite.read_text()), schema)
assert json.loads((SOURCE / "suites/schema.json").read_text()) == schema

for subcommand in ("run", "check", "plan", "report", "verify", "doctor", "schema"):
    code, text = run(subcommand, "--help")
    assert code == 0 and subcommand in text, text
assert run("--help")[0] == 0 and run("--version")[0] == 0
assert run("rnu")[0] == 2 and run()[0] == 2
assert run("report", "/no/such/run")[0] == 2

code, text = run("plan", TINY, "--ranks", 2)
assert code == 0 and "in all" in text and "amortised-seed0" in text, text

# doctor: each line that can be provoked.
code, text = run("doctor")
assert code == 0 and "HDF5" in text and "error" not in text.split(), text
code, text = run("doctor", environment={"OMPI_COMM_WORLD_SIZE": "4"})
assert code == 3 and "the launcher started 4" in text, text
code, text = run("doctor", environment={"SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"})
assert code == 3 and "--mpi=pmix" in text, text
code, text = run("doctor", ranks=2 * os.cpu_count())
assert code == 0 and "oversubscribed" in text, text
code, text = run("doctor", "--output", "/proc/1")
assert code == 3 and "cannot write" in text, text
code, text = run("doctor", "--data", scratch())
assert "cifar10: " in text and "-> " in text, text
print("ok")
