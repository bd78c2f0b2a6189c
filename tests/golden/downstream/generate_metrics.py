"""Writes metrics.json: predictions, truths and what scikit-learn (and torchvision, for boxes) says of them.

Usage: python tests/golden/downstream/generate_metrics.py
"""
import json
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score, balanced_accuracy_score, r2_score, top_k_accuracy_score
from torchvision.ops import box_iou

rng = np.random.default_rng(5)
N, CLASSES = 40, 8
labels = rng.integers(0, CLASSES - 1, N)  # the last class does not occur
scores = rng.normal(size=(N, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
targets = rng.normal(size=(N, 3)) * [1, 5, 0.2] + [0, 30, -1]
targets[:, 1] = 7.0  # a constant coordinate
predictions = targets + rng.normal(size=(N, 3))
attributes = (rng.random((N, 4)) < [0.5, 0.2, 0.1, 0.4]).astype(float)
attribute_scores = np.round(rng.normal(size=(N, 4)) + attributes, 1)  # rounded: many are equal
corners = rng.uniform(0, 10, (N, 2))
boxes = np.concatenate([corners, corners + rng.uniform(1, 10, (N, 2))], 1)
box_predictions = boxes + rng.normal(size=(N, 4))
overlaps = box_iou(torch.tensor(box_predictions), torch.tensor(boxes)).diagonal().numpy()

out = {
    "labels": labels.tolist(), "scores": scores.tolist(),
    "targets": targets.tolist(), "predictions": predictions.tolist(),
    "attributes": attributes.tolist(), "attribute_scores": attribute_scores.tolist(),
    "boxes": boxes.tolist(), "box_predictions": box_predictions.tolist(),
    "expected": {
        "top1": top_k_accuracy_score(labels, scores, k=1, labels=range(CLASSES)),
        "top5": top_k_accuracy_score(labels, scores, k=5, labels=range(CLASSES)),
        "mean_per_class": balanced_accuracy_score(labels, scores.argmax(1)),
        "r2": r2_score(targets, predictions),
        "r2_flat": r2_score(targets.ravel(), predictions.ravel()),
        "map": average_precision_score(attributes, attribute_scores, average="macro"),
        "box_iou": overlaps.mean(),
    },
}
assert (box_predictions[:, 2:] > box_predictions[:, :2]).all(), "torchvision takes boxes with an area only"
Path(__file__).with_name("metrics.json").write_text(json.dumps(out))
