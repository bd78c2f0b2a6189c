"""Small MATLAB files laid out as the lists of Flowers-102, Leeds Sports Pose (and its extended set) and ILSVRC 2012, written by scipy.

Run: python tests/golden/data/generate.py (needs numpy and scipy).
"""

from pathlib import Path

import numpy as np
from scipy.io import savemat

HERE = Path(__file__).parent


def main():
    # Six flowers of two classes; every list is 1 x n, of MATLAB's small integers.
    savemat(HERE / "imagelabels.mat", {"labels": np.array([[102, 1, 1, 102, 1, 102]], np.uint8)})
    setid = {"trnid": np.array([[2, 4]], np.uint16), "valid": np.array([[6, 3]], np.uint16), "tstid": np.array([[1, 5]], np.uint16)}
    savemat(HERE / "setid.mat", setid, do_compression=True)
    # Joint j of picture n (from 1) is at (100 n + j, 100 n + j + 0.5); the last number tells whether it is seen. In the
    # extended set that is whether it was annotated: all but joint 3 of picture 2.
    pictures, joints = np.arange(1, 5)[None], np.arange(14)[:, None]
    x = 100.0 * pictures + joints
    seen = np.broadcast_to((joints % 2).astype(float), x.shape)
    savemat(HERE / "joints-3x14.mat", {"joints": np.stack([x, x + 0.5, seen])}, do_compression=True)
    annotated = 1.0 - ((joints == 3) & (pictures == 2))
    savemat(HERE / "joints-14x3.mat", {"joints": np.stack([x, x + 0.5, annotated], 1)})
    # Three synsets, the ids not in the order of the names.
    kind = [("ILSVRC2012_ID", object), ("WNID", object), ("words", object), ("children", object)]
    synsets = np.array([[(2.0, "n01440764", "tench", np.zeros((1, 0)))], [(1.0, "n02119789", "kit fox", np.zeros((1, 0)))],
                        [(3.0, "n01443537", "goldfish", np.array([[1.0, 2.0]]))]], dtype=kind)
    savemat(HERE / "meta.mat", {"synsets": synsets}, do_compression=True)


if __name__ == "__main__":
    main()
