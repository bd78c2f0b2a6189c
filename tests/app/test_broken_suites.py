"""Forty broken suites: `check` names JSON path, value and rule, exits 2, and never hangs or prints a trace."""
import json

from support import SOURCE, run, scratch

good = json.loads((SOURCE / "suites/quickstart.json").read_text())
folder = scratch()


def edited(edit):
    suite = json.loads(json.dumps(good))
    edit(suite)
    return json.dumps(suite)


def put(path, value):
    """Set suite[path]; `path` like encoders.0.name."""
    def edit(suite):
        at = suite
        *way, last = path.split(".")
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if isinstance(at, list):
            at[int(last)] = value
        else:
            at[last] = value
    return edited(edit)


def without(key):
    return edited(lambda suite: suite.pop(key))


# (suite text, everything that the message must hold)
BROKEN = [
    ("{", ["line 1"]), ("", ["not JSON"]), ("[]", ["an object"]), ('{"name": "x"} trailing', ["not JSON"]),
    (put("repeat", 2), ["repeat:", 'did you mean "repeats"?']),
    (put("encoders.0.pretrainign", {}), ["encoders[0].pretrainign", "pretraining"]),
    (put("tasks.0.known.mark", "01"), ["tasks[0].known.mark", "marks"]),
    (put("downstream.projected.step", 3), ["downstream.projected.step", "steps"]),
    (put("data.0.sise", 64), ["data[0].sise", "size"]),
    (without("name"), ["name: missing"]), (without("data"), ["data: missing"]), (without("encoders"), ["encoders: missing"]),
    (put("name", 3), ["name: found 3"]), (put("name", ""), ["name", "not empty"]),
    (put("repeats", 0), ["repeats: found 0", "in [1,"]), (put("repeats", 1.5), ["repeats: found", "a whole number"]),
    (put("repeats", "3"), ["repeats", "a whole number"]), (put("repeats", None), ["repeats", "null"]),
    (put("data", {}), ["data", "a list"]), (put("data", []), ["data", "at least one"]),
    (put("data.0.size", 2), ["data[0].size: found 2"]), (put("data.0.resize", "stretch"), ["data[0].resize", "a known name"]),
    (put("data.0.name", "caltech101-sampel"), ["data[0].name", "caltech101-sample"]),
    (put("encoders.1.name", "amortised"), ["encoders[1].name", "no other entry"]),
    (put("encoders.1.name", "a/b"), ["encoders[1].name", "a name: letters"]),
    (put("encoders.1.corners", ["111"]), ["encoders[1].corners[0]", "2 bits"]),
    (put("encoders.1.corners", ["1x"]), ["encoders[1].corners[0]"]),
    (put("encoders.1.corners", ["11", "01"]), ["encoders[1].corners", "one corner"]),
    (put("encoders.0.pretraining.data", "nothing"), ["encoders[0].pretraining.data", "a data set of the suite"]),
    (put("encoders.0.pretraining.split", "trian"), ["encoders[0].pretraining.split", "train"]),
    (put("encoders.0.pretraining.global_batch", 5000), ["encoders[0].pretraining.global_batch", "1515"]),
    (put("encoders.0.pretraining.model.backbone", "resnet19"), ["backbone", "resnet18"]),
    (put("encoders.0.pretraining.optimizer.algorithm", "adamm"), ["algorithm", "adam"]),
    (put("encoders.0.pretraining.schedule.learning_rate", -1), ["learning_rate: found -1"]),
    (put("encoder_defaults.pretraining.steps", -5), ["encoder_defaults.pretraining.steps: found -5"]),
    (put("encoder_seeds", [1, 1]), ["encoder_seeds", "different"]), (put("encoder_seeds", []), ["encoder_seeds"]),
    (put("tasks.0.known.marks", "00"), ["tasks[0].known.marks", "at least one 1"]),
    (put("tasks.0.known.marks", "012"), ["tasks[0].known.marks", "2 marks"]),
    (put("tasks.0.known.classes", 81), ["tasks[0].known.classes: found 81"]),
    (put("tasks.0.known.classes", 12), ["tasks[0].known.classes", "five pictures"]),
    (put("tasks.3.metrics", ["r2"]), ["tasks[3].metrics", "top1"]), (put("tasks.3.test", "tset"), ["tasks[3].test", "test"]),
    (put("arms", ["corners", "corners"]), ["arms", "each arm once"]), (put("arms", ["learned"]), ["arms[0]", "learned-joint"]),
    (put("axes", []), ["axes"]),
    (put("axes", [{"name": "a", "operations": ["crop"]}, {"name": "b", "operations": ["crop"]}]), ["axes"]),
    (put("sensitivity.data", "x"), ["sensitivity.data"]),
    (put("data.0.name", "cifar10"), ["cifar10", "download"]),
    (put("name", "a\nb"), ["name", "a name: letters"]), (put("axes", [{"name": "a b", "operations": ["crop"]}]), ["axes[0].name", "a name: letters"]),
    (put("encoders.1.name", "grid-best"), ["encoders[1].name", "no arm"]),
    (put("encoders.0.corners", ["11", "11"]), ["encoders[0].corners[1]", "each corner once"]),
    (put("arms", []), ["arms", "at least one"]), (put("downstream.grid_per_axis", 101), ["grid_per_axis", "10201"]),
    (put("downstream.readout.l2", [1e999]).replace("Infinity", "1e999"), ["downstream.readout.l2[0]", "a number above 0"]),
    (put("tasks.0.known.split", "train"), ["tasks[0].known.split", "pretrained"]),
    (put("tasks.3.test", "train"), ["tasks[3].test", "another split"]),
    (put("tasks.3.class_every", 1000), ["tasks[3].class_every", "at least two classes"]),
    (put("tasks.3.metrics", ["top1", "top1"]), ["tasks[3].metrics", "each metric once"]),
    (put("axes", [{"name": "a", "operations": ["flip"], "fixed_settings": [{"flip": True}, {"flip": True}]},
                  {"name": "b", "operations": ["crop"]}]), ["axes[0].fixed_settings[1]", "of its own"]),
    (put("tasks.3.known", {"marks": "zz"}), ["tasks[3].known", "kind is classification", "remove it"]),
    (put("tasks.0.train", "nope"), ["tasks[0].train", "kind is known"]),
    (put("encoders.1.min_ones", 1), ["encoders[1].min_ones", "without conditioning"]),
    (put("encoders.0.pretraining.model.vit", {"patch": 8}), ["encoders[0].pretraining.model.vit", "backbone is resnet18"]),
    (put("encoders.0.pretraining.model.film", {"start": 1}), ["encoders[0].pretraining.model.film", "conditioning is hypernetwork"]),
    (put("encoders.0.pretraining.model.conditioning", "prompt"), ["encoders[0].pretraining.model", "one more token of a ViT"]),
    (put("encoders.0.pretraining.model", {"backbone": "vit_tiny", "conditioning": "prompt", "width": 8}),
     ["encoders[0].pretraining.model.width", "backbone is vit_tiny"]),
    (put("encoders.0.pretraining.model", {"backbone": "vit_tiny", "conditioning": "prompt", "vit": {"patch": 12}}),
     ["encoders[0].pretraining.view_size", "a multiple of the ViT's patch, 12"]),
    (put("encoders.0.pretraining.optimizer", {"momentum": 0.5}), ["optimizer.momentum", "algorithm is adamw"]),
    (put("encoder_defaults.pretraining.optimizer", {"trust_coefficient": 0.5}), ["encoder_defaults.pretraining.optimizer.trust"]),
    (put("encoders.0.pretraining.objective", {"queue": 4096}), ["encoders[0].pretraining.objective.queue", "kind is simclr"]),
    (put("encoders.0.pretraining.objective", {"kind": "moco-v2", "queue": 100}), ["objective.queue: found 100", "global_batch"]),
    (put("encoders.0.pretraining.objective", {"kind": "moco-v2", "batch_norm_group": 16}), ["batch_norm_group", "batch_norm is sync"]),
    (put("encoders.0.pretraining.objective", {"kind": "moco-v2", "batch_norm": "groups", "batch_norm_group": 24}),
     ["objective.batch_norm_group: found 24", "divisor"]),
    (put("encoders.0.pretraining.objective", {"kind": "moco-v3", "mask_own_keys": True}), ["mask_own_keys", "kind is moco-v3"]),
    (put("encoders.0.pretraining.corners_per_step", "mixed"), ["corners_per_step", "film"]),
    (put("encoders.0.pretraining.predictor", {"hidden": 64}), ["pretraining.predictor", "the objective is simclr"]),
    (put("encoders.0.pretraining.monitor", {"images": 10}), ["monitor.images", "every is 0"]),
    (put("encoders.0.pretraining.monitor", {"every": 10, "data": "nothing"}), ["monitor.data", "a data set of the suite"]),
    (put("encoders.0.pretraining.monitor", {"every": 10, "data": "caltech101-sample", "split": "train"}),
     ["monitor.split", "pretrained"]),
    (put("encoders.0.pretraining.monitor", {"every": 10, "data": "caltech101-sample", "split": "tset"}), ["monitor.split", "test"]),
    (edited(lambda suite: suite.update(arms=["corners"], downstream={"joint": {"epochs": 3}})),
     ["downstream.joint", "no arm"]),
    (edited(lambda suite: suite.update(sensitivity={"images": 10})), ["sensitivity.images", "names no data set"]),
    (edited(lambda suite: suite["tasks"].append({"name": "episodes", "kind": "few-shot", "data": "caltech101-sample",
                                                 "few_shot": {"novel_classes": 20, "queries": 2, "learned_episodes": 10}})),
     ["few_shot.learned_episodes", "no arm asks for it"]),
    (put("encoder_defaults.pretraining.precision", "float16"), ["pretraining.precision", "bfloat16"]),
    (json.dumps(good)[:-1] + ', "repeats": 2}', ["repeats is there twice"]),
]
assert len(BROKEN) >= 40
for number, (text, expected) in enumerate(BROKEN):
    path = folder / f"broken-{number}.json"
    path.write_text(text)
    code, message = run("check", path, timeout=60)
    assert code == 2, (number, code, message)
    assert "Traceback" not in message and "internal error" not in message, (number, message)
    for piece in expected:
        assert piece in message, f"broken suite {number}: {piece!r} is not in: {message}"

# A default that some entry reads is no mistake.
path = folder / "read-by-some.json"
path.write_text(put("task_defaults.class_every", 5))
code, message = run("check", path)
assert code == 0, message

# All problems of one file come in one list.
path = folder / "three.json"
path.write_text(edited(lambda suite: suite.update(repeats=0, seed=-1, typo=1)))
message = run("check", path)[1]
assert "3 problems" in message and all(word in message for word in ("repeats", "seed", "typo")), message
print(f"{len(BROKEN)} broken suites, each named")
