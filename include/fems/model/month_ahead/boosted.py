"""Trained trees without the library that trained them: arrays, and what they say of a table of inputs.

Gradient boosting libraries read their own files in C++ that trusts them: a changed byte can end the process. These
arrays have a fixed shape, so that no value in them can lead outside; and a forecast needs no such library.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fems.errors import DataError
from fems.model.arrays import read_arrays
from fems.model.history import Floats

_PARTS = {"feature": np.uint8, "threshold": np.float32, "value": np.float32, "base": np.float64}


@dataclass(frozen=True)
class BoostedTrees:
    """T binary trees of depth D, each laid out as a full one: the children of node i are 2 i + 1 and 2 i + 2.

    Attributes:
        feature: (T, 2^D - 1) the column that a node looks at.
        threshold: (T, 2^D - 1) a row goes left where it is below.
        value: (T, 2^D) what a leaf adds.
        base: () what all of it is added to.
    """

    feature: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    value: NDArray[np.float32]
    base: NDArray[np.float64]

    @classmethod
    def of(cls, booster: Any, base: float, depth: int) -> "BoostedTrees":
        """Take the trees of an xgboost.Booster that was trained with base_score 0 and this depth at most."""
        model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
        inner = 2**depth - 1
        shape = (len(model["trees"]), inner)
        feature, threshold = np.zeros(shape, np.uint8), np.zeros(shape, np.float32)
        value = np.zeros((shape[0], inner + 1), np.float32)
        for i, tree in enumerate(model["trees"]):
            source = np.zeros(2 * inner + 1, np.int64)  # the booster's node behind each of ours
            for node in range(inner):
                at = source[node]
                left = tree["left_children"][at]
                if left >= 0:
                    feature[i, node] = tree["split_indices"][at]
                    threshold[i, node] = tree["split_conditions"][at]
                # A leaf above the last row is repeated below: both ways lead to it.
                right = tree["right_children"][at] if left >= 0 else at
                source[2 * node + 1 : 2 * node + 3] = (left if left >= 0 else at), right
            value[i] = np.array(tree["split_conditions"], np.float32)[source[inner:]]
        return cls(feature, threshold, value, np.array(base))

    def __call__(self, table: Floats) -> Floats:
        """Return (R,) for a table (R, columns)."""
        rows, trees = np.arange(len(table))[:, None], np.arange(len(self.feature))
        inputs = table.astype(np.float32)  # as XGBoost compares
        node = np.zeros((len(table), len(trees)), np.int64)
        inner = self.feature.shape[1]
        for _ in range(inner.bit_length()):
            right = inputs[rows, self.feature[trees, node]] >= self.threshold[trees, node]
            node = 2 * node + 1 + right
        total: Floats = self.base + self.value[trees, node - inner].sum(axis=1, dtype=np.float64)
        return total

    def save(self, path: Path) -> None:
        """Write the arrays as .npz."""
        np.savez_compressed(path, **asdict(self))

    @classmethod
    def load(cls, path: Path, columns: int) -> "BoostedTrees":
        """Read what `save` wrote; nothing in it is run.

        Args:
            path: of the .npz.
            columns: how many the table has that the trees will see.

        Raises:
            DataError: it is something else.
        """
        parts = read_arrays(path, _PARTS)
        trees = cls(**parts)
        inner = trees.feature.shape[1] if trees.feature.ndim == 2 else 0
        fits = (
            all(parts[name].dtype == kind for name, kind in _PARTS.items())
            and inner > 0
            and inner & (inner + 1) == 0
            and trees.threshold.shape == trees.feature.shape
            and trees.value.shape == (len(trees.feature), inner + 1)
            and trees.base.shape == ()
            and bool((trees.feature < columns).all())
            and all(np.isfinite(part).all() for part in (trees.threshold, trees.value, trees.base))
        )
        if not fits:
            raise DataError(f"{path.name}: no trees over {columns} columns")
        return trees
