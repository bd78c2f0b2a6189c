"""Readouts against scikit-learn's LogisticRegression and Ridge on the same features: objective, accuracy, choice."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score

TOOL = sys.argv[1]
PENALTIES = np.logspace(-6, 5, 45)


def run_tool(parts, n_classes, metric, penalties=PENALTIES):
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "in.json", Path(folder) / "out.json"
        settings = {"l2": penalties.tolist(), "refit": "train-and-validation"}  # as protocol transfer has them
        given.write_text(json.dumps(parts | {"n_classes": n_classes, "metric": metric, "readout": settings}))
        subprocess.run([TOOL, given, made], check=True)
        return json.loads(made.read_text())


def split(features, truth, key, sizes, seed):
    order = np.random.default_rng(seed).permutation(len(features))
    parts, first = {}, 0
    for name, size in zip(("train", "validation", "test"), sizes):
        rows = order[first:first + size]
        parts[name] = {"features": features[rows].tolist(), key: truth[rows].tolist()}
        first += size
    return parts


def scaled(features, out):
    return (np.array(features) - out["centre"]) / out["scale"]


def objective(x, labels, weight, bias, l2):
    scores = x @ weight + bias
    scores -= scores.max(1, keepdims=True)
    log_likelihood = scores[np.arange(len(x)), labels] - np.log(np.exp(scores).sum(1))
    return -log_likelihood.mean() + l2 / 2 * (weight ** 2).sum()


def test_classes():
    digits = load_digits()
    parts = split(digits.data, digits.target, "labels", (300, 200, 1000), 1)
    out = run_tool(parts, 10, "top1")
    x, labels = scaled(parts["train"]["features"], out), np.array(parts["train"]["labels"])
    test_x, test_labels = scaled(parts["test"]["features"], out), np.array(parts["test"]["labels"])
    assert np.allclose([fit["l2"] for fit in out["fits"]], PENALTIES[::-1], rtol=1e-12)
    worst = 0.0
    for fit in out["fits"]:
        l2 = fit["l2"]
        reference = LogisticRegression(C=1 / (l2 * len(x)), tol=1e-11, max_iter=100000).fit(x, labels)
        ours = objective(x, labels, np.array(fit["weight"]), np.array(fit["bias"]), l2)
        theirs = objective(x, labels, reference.coef_.T, reference.intercept_, l2)
        assert abs(ours / theirs - 1) < 1e-6, (l2, ours, theirs)
        worst = max(worst, abs(ours / theirs - 1))
        right = (np.array(fit["scores"]).argmax(1) == test_labels).sum()
        reference_right = (reference.predict(test_x) == test_labels).sum()
        assert abs(int(right) - int(reference_right)) <= 1, (l2, right, reference_right)
    print(f"classes: objectives agree to {worst:.1e}")

    # The protocol: the penalty that is best on validation, refitted to train + validation.
    validation_x = scaled(parts["validation"]["features"], out)
    accuracy = {}
    for fit in out["fits"]:
        guesses = (validation_x @ np.array(fit["weight"]) + np.array(fit["bias"])).argmax(1)
        accuracy[fit["l2"]] = (guesses == np.array(parts["validation"]["labels"])).mean()
    best = max(accuracy, key=lambda l2: (accuracy[l2], l2))
    assert out["chosen"]["l2"] == best, (out["chosen"]["l2"], best)
    both = np.array(parts["train"]["features"] + parts["validation"]["features"])
    centre = both.mean(0)
    scale = np.sqrt(((both - centre) ** 2).mean())
    refit = LogisticRegression(C=1 / (best * len(both)), tol=1e-8, max_iter=20000).fit(
        (both - centre) / scale, parts["train"]["labels"] + parts["validation"]["labels"])
    right = (np.array(out["chosen"]["scores"]).argmax(1) == test_labels).sum()
    reference_right = (refit.predict((np.array(parts["test"]["features"]) - centre) / scale) == test_labels).sum()
    assert abs(int(right) - int(reference_right)) <= 1, (right, reference_right)
    print(f"classes: penalty {best:.2g}, {right} of {len(test_labels)} right, scikit-learn {reference_right}")


def test_as_many_features_as_a_resnet50():
    """More unknowns than samples: at weak penalties the objective is almost flat along most directions."""
    digits = load_digits()
    draw = np.random.default_rng(3)
    features = np.maximum(digits.data @ draw.normal(size=(64, 2048)) / 8 + draw.normal(size=2048), 0)
    parts = split(features, digits.target, "labels", (300, 100, 200), 4)
    penalties = PENALTIES[::11]
    out = run_tool(parts, 10, "top1", penalties)
    x, labels = scaled(parts["train"]["features"], out), np.array(parts["train"]["labels"])
    assert len(out["fits"]) == len(penalties) == 5
    for fit in out["fits"]:
        reference = LogisticRegression(C=1 / (fit["l2"] * len(x)), tol=1e-11, max_iter=100000).fit(x, labels)
        ours = objective(x, labels, np.array(fit["weight"]), np.array(fit["bias"]), fit["l2"])
        theirs = objective(x, labels, reference.coef_.T, reference.intercept_, fit["l2"])
        assert ours / theirs - 1 < 1e-6, (fit["l2"], ours, theirs)
        print(f"2,048 features, penalty {fit['l2']:.2g}: objective {ours:.4g}, {ours / theirs - 1:+.1e}")


def test_numbers():
    diabetes = load_diabetes()
    targets = np.stack([diabetes.target, diabetes.data[:, 2] * 300 + diabetes.target], 1)
    parts = split(diabetes.data[:, [0, 1, 3, 4, 5, 6, 7, 8, 9]], targets, "targets", (200, 100, 142), 2)
    out = run_tool(parts, 0, "r2")
    x, y = scaled(parts["train"]["features"], out), np.array(parts["train"]["targets"])
    test_x = scaled(parts["test"]["features"], out)
    spread = y.std(0)
    for fit in out["fits"]:
        reference = Ridge(alpha=fit["l2"] * len(x)).fit(x, y / spread)
        assert np.allclose(np.array(fit["scores"]), reference.predict(test_x) * spread, rtol=1e-8, atol=1e-6), fit["l2"]
    both = {key: parts["train"][key] + parts["validation"][key] for key in ("features", "targets")}
    centred = np.array(both["features"]) - np.mean(both["features"], 0)
    scale = np.sqrt((centred ** 2).mean())
    refit = Ridge(alpha=out["chosen"]["l2"] * len(centred)).fit(
        centred / scale, np.array(both["targets"]) / np.std(both["targets"], 0))
    test_x = (np.array(parts["test"]["features"]) - np.mean(both["features"], 0)) / scale
    predicted = refit.predict(test_x) * np.std(both["targets"], 0)
    assert np.allclose(out["chosen"]["scores"], predicted, rtol=1e-8, atol=1e-6)
    print(f"numbers: penalty {out['chosen']['l2']:.2g}, r2 {r2_score(parts['test']['targets'], predicted):.3f}")


test_classes()
test_as_many_features_as_a_resnet50()
test_numbers()
print("ok")
