"""Draws the main figures of a results file: arms with intervals and ranks, learned i, its path, grids, pretraining, sensitivity, time.

Usage: python examples/figures.py results/<suite>/results.h5 [folder]     (needs matplotlib, xarray, h5netcdf; writes PDFs)
"""
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

path = Path(sys.argv[1])
folder = Path(sys.argv[2]) if len(sys.argv) > 2 else path.parent / "figures"
folder.mkdir(parents=True, exist_ok=True)
plt.rcParams |= {"axes.spines.top": False, "axes.spines.right": False, "axes.prop_cycle": plt.cycler(
    color=["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b", "#000000",
           "#882255", "#44aa99", "#999933", "#332288", "#cc6677", "#117733", "#661100", "#aa4499"])}  # Okabe and Ito's colours, then Tol's


def save(figure, name):
    figure.savefig(folder / f"{name}.pdf", bbox_inches="tight")
    plt.close(figure)
    print(folder / f"{name}.pdf")


def panels(n, width=3.2, height=3.0):
    """A row of n axes."""
    figure, axes = plt.subplots(1, n, figsize=(width * n, height), squeeze=False, layout="constrained")
    return figure, axes[0]


with xr.open_datatree(path, engine="h5netcdf") as tree:
    # Columns of /jobs share names with the root's coordinates: leave those out.
    names = [str(name) for name in tree["axis"].values]
    jobs = tree["jobs"].to_dataset(inherit=False).load()
    summary = tree["summary"].to_dataset().load()
    paths = tree["trajectories"].to_dataset(inherit=False).load()
    ranks = tree["summary/average_rank"].load() if "average_rank" in tree["summary"] else None
    stages = tree["stages"].to_dataset(inherit=False).load() if "stages" in tree else None
    sensitivity = tree["sensitivity"].load() if "sensitivity" in tree else None
    curves = {name: node["pretraining"].to_dataset(inherit=False).load() for name, node in tree["encoders"].children.items() if "pretraining" in node}

tasks = [str(task) for task in summary["task"].values] if "task" in summary.coords else []
# A task's figures are in its main metric: of those that it was judged by, the first of these, as in `invaria report`.
MAIN = ("top1", "map", "box_iou", "r2", "mean_per_class", "top5", "r2_flat", "nme")
judged = {task: {str(metric) for metric in jobs["metric"].values[(jobs["task"] == task).values]} for task in tasks}
metric_of = {task: next((metric for metric in MAIN if metric in judged[task]), min(judged[task])) for task in tasks}


def chosen(arm, task, encoder=None):
    """The finished jobs of an arm on a task, of one encoder or of all."""
    return np.flatnonzero(((jobs["status"] == "finished") & (jobs["metric"] == metric_of[task]) & (jobs["arm"] == arm)
                           & (jobs["task"] == task) & ((jobs["encoder"] == encoder) | (encoder is None))).values)


if not tasks:  # a run that was made to be measured
    print(f"{path}: no tasks; `invaria report --html` shows its pretraining and what was measured")
    sys.exit()

# Arms with their 95 % intervals. A single grid point is an arm too; leave those out.
main = xr.concat([summary[["mean", "ci95"]].sel(task=task, metric=metric_of[task], drop=True) for task in tasks], "task").assign_coords(task=tasks)
cells = main.stack(row=("encoder", "arm")).dropna("row", how="all", subset=["mean"])
cells = cells.isel(row=[not str(arm).startswith("grid-") or arm == "grid-best" for arm in cells["arm"].values])
figure, axes = panels(len(tasks), height=0.9 + 0.2 * cells.sizes["row"])
for axis, task in zip(axes, tasks):
    labels = [f"{arm}" if list(cells["arm"].values).count(arm) == 1 else f"{arm} ({encoder})"
              for encoder, arm in zip(cells["encoder"].values, cells["arm"].values)]
    axis.errorbar(100 * cells["mean"].sel(task=task), range(len(labels)), xerr=100 * cells["ci95"].sel(task=task).fillna(0), fmt="o", ms=4)
    axis.set(title=task, xlabel=f"{metric_of[task]} %", yticks=range(len(labels)), yticklabels=labels if axis is axes[0] else [])
    axis.invert_yaxis()
save(figure, "arms")

# The same in short: the average rank over tasks, 1 = best.
if ranks is not None:
    rows = ranks.stack(row=("encoder", "arm")).dropna("row")
    rows = rows[np.argsort(rows.values)]
    labels = [f"{arm} ({encoder})" for encoder, arm in zip(rows["encoder"].values, rows["arm"].values)]
    figure, (axis,) = panels(1, 4.0, 0.9 + 0.2 * rows.size)
    axis.plot(rows.values, range(rows.size), "o", ms=4)
    axis.set(xlabel="average rank", yticks=range(rows.size), yticklabels=labels)
    axis.invert_yaxis()
    save(figure, "ranks")

# Where the learned i went: in the square of two axes, or along several.
figure, (axis,) = panels(1, 4.5, 4.0)
for number, task in enumerate(tasks):
    i = np.stack([jobs[f"i_{name}"].values[chosen("learned-projected", task)] for name in names])
    if len(names) == 2:
        axis.plot(*i, "o", color=f"C{number}", alpha=0.6, label=task, clip_on=False)
    else:
        axis.plot(range(len(names)), i, color=f"C{number}", alpha=0.6, label=None)
        axis.plot([], [], color=f"C{number}", label=task)
if len(names) == 2:
    axis.set(xlabel=names[0], ylabel=names[1], xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
else:
    axis.set(xticks=range(len(names)), xticklabels=names, ylabel="learned i", ylim=(-0.03, 1.03))
axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
save(figure, "learned")

# How it went there.
figure, axes = panels(len(tasks))
for axis, task in zip(axes, tasks):
    for row in chosen("learned-projected", task):
        for number, name in enumerate(names):
            axis.plot(paths["invariance"].isel(job=row, axis=number), color=f"C{number}", alpha=0.7)
    axis.set(title=task, xlabel="recorded point", ylabel="i" if axis is axes[0] else "", ylim=(-0.03, 1.03))
figure.legend(handles=[plt.Line2D([], [], color=f"C{number}", label=name) for number, name in enumerate(names)], frameon=False,
              loc="outside lower center", ncols=len(names))
save(figure, "paths")

# The grid of i of each encoder that has one, with what was learned and what was best.
grid = [str(arm) for arm in summary["arm"].values if str(arm).startswith("grid-") and arm != "grid-best"]
if len(names) == 2 and grid:
    points = np.array([[float(number) for number in arm.removeprefix("grid-").split(",")] for arm in grid])
    x, y = np.unique(points[:, 0]), np.unique(points[:, 1])
    with_grid = main["mean"].sel(arm=grid).dropna("encoder", how="all")
    encoders = [str(encoder) for encoder in with_grid["encoder"].values]
    figure, axes = panels(len(tasks) * len(encoders))
    for axis, (encoder, task) in zip(axes, [(encoder, task) for encoder in encoders for task in tasks]):
        values = with_grid.sel(encoder=encoder, task=task).values
        table = np.full((len(y), len(x)), np.nan)
        table[np.searchsorted(y, points[:, 1]), np.searchsorted(x, points[:, 0])] = 100 * values
        figure.colorbar(axis.pcolormesh(x, y, table, shading="nearest", cmap="viridis"), ax=axis, label=f"{metric_of[task]} %")
        for arm, mark, size in (("grid-best", "s", 12), ("oracle", "D", 5), ("learned-projected", "o", 6)):
            rows = chosen(arm, task, encoder)
            axis.plot(*(jobs[f"i_{name}"].values[rows] for name in names), mark, ms=size, mfc="white", mec="black", label=arm, ls="")
        axis.set(title=task if len(encoders) == 1 else f"{task}, {encoder}", xlabel=names[0], ylabel=names[1], xticks=x, yticks=y)
    figure.legend(*axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)
    save(figure, "grid")

# Pretraining, means over a fortieth of the steps.
if curves:
    figure, (axis,) = panels(1, 5.0)
    for name, curve in curves.items():
        width = max(1, curve.sizes["step"] // 40)
        axis.plot(curve["step"].coarsen(step=width, boundary="trim").mean(), curve["loss"].coarsen(step=width, boundary="trim").mean(), label=name)
    axis.set(xlabel="step", ylabel="loss (nats)")
    axis.legend(frameon=False)
    save(figure, "pretraining")

# How far features move under each transformation, 0 = invariant.
if sensitivity is not None:
    rows = sensitivity.stack(row=("encoder", "corner")).dropna("row", how="all").transpose("row", "transformation")
    figure, (axis,) = panels(1, 1.2 + 0.8 * rows.sizes["transformation"], 1.0 + 0.3 * rows.sizes["row"])
    image = axis.imshow(rows, cmap="viridis", vmin=0, aspect="auto")
    axis.set(xticks=range(rows.sizes["transformation"]), xticklabels=rows["transformation"].values, yticks=range(rows.sizes["row"]),
             yticklabels=[f"{encoder} at {corner}" for encoder, corner in zip(rows["encoder"].values, rows["corner"].values)])
    figure.colorbar(image, label="sensitivity")
    save(figure, "sensitivity")

# Where the time went: the slowest rank of each stage.
if stages is not None:
    slowest = stages["seconds"].groupby(stages["stage"]).max()
    figure, (axis,) = panels(1, 4.0, 0.9 + 0.3 * slowest.size)
    axis.barh(slowest["stage"].values, slowest)
    axis.set(xlabel="seconds of the slowest rank")
    save(figure, "time")
