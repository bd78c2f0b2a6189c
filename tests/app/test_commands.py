"""`schema`, `--help`, `--version` and `plan` as a user meets them."""
import json

import jsonschema

from support import SOURCE, TINY, run

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
print("ok")
