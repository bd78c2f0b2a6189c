"""Writes optimizer.json: weights after 1, 5 and 20 steps of torch.optim on one dense vector and one materialised factored matrix.

Weights and gradients are formulas (float64, rounded to float32), repeated in tests/train/test_optimizer_golden.cpp:
    dense      w[i] = sin(1 + i),  gradient at step t: 0.1 cos(0.3 i + 0.7 t)
    factored   A[p, j] = 0.5 sin(1 + 4 p + j),  g_t[p] = 0.1 cos(0.5 p + 0.9 t),  h_t[j] = max(0, sin(j + 0.4 t))
Learning rate at step t: 0.01 / (1 + 0.1 t). Run: python generate_optimizer.py > optimizer.json (torch 2.11)
"""

import json
import math

import torch

N, P, H = 7, 5, 4
KINDS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9, weight_decay=0.02),
    "adam": lambda p: torch.optim.Adam(p, lr=1.0, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.02, foreach=False),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1.0, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.02, foreach=False),
}


def tensor(values):
    return torch.tensor(values, dtype=torch.float64).float()


golden = {}
for name, make in KINDS.items():
    dense = torch.nn.Parameter(tensor([math.sin(1 + i) for i in range(N)]))
    matrix = torch.nn.Parameter(tensor([[0.5 * math.sin(1 + 4 * p + j) for j in range(H)] for p in range(P)]))
    optimizer = make([dense, matrix])
    golden[name] = []
    for t in range(20):
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / (1 + 0.1 * t)
        dense.grad = tensor([0.1 * math.cos(0.3 * i + 0.7 * t) for i in range(N)])
        g = tensor([0.1 * math.cos(0.5 * p + 0.9 * t) for p in range(P)])
        h = tensor([max(0.0, math.sin(j + 0.4 * t)) for j in range(H)])
        matrix.grad = torch.outer(g, h)
        optimizer.step()
        if t + 1 in (1, 5, 20):
            golden[name].append({"steps": t + 1, "dense": dense.tolist(), "factored": matrix.flatten().tolist()})
rows = ",\n".join(f' "{name}": [\n' + ",\n".join("  " + json.dumps(state) for state in states) + "\n ]" for name, states in golden.items())
print("{\n" + rows + "\n}")
