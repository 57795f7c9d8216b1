"""Which sums of the bottom cells are forecast together: levels named by keys, one sparse matrix, one id a node.

```
nodes      total | aggregates, level by level as the spec names them | bottom cells
summing A  aggregates x bottom cells, 0/1, sparse
unique_id  the node's key values joined by "/"; the top is "total"
```

Where two nodes of different levels would carry the same id (a region and a line of one name), both are written with
their key: `region=North`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from planning.errors import DataError, UsageError, did_you_mean
from planning.forecast.joint_forecast import TOTAL


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """n nodes, of which the last are the bottom cells.

    cells: one row a node, `unique_id, level` and one column a key (`total` where a key is summed out).
    summing: (nodes - bottom) x bottom sparse 0/1 matrix. keys: the key columns, in order.
    """

    cells: pd.DataFrame
    summing: sparse.csr_matrix
    keys: tuple[str, ...]

    @property
    def n_aggregates(self) -> int:
        return self.summing.shape[0]

    @property
    def n_bottom(self) -> int:
        return self.summing.shape[1]

    @property
    def bottom(self) -> np.ndarray:
        """True where a node is a bottom cell, (nodes,)."""
        return np.arange(len(self.cells)) >= self.n_aggregates

    def sums(self, bottom: np.ndarray) -> np.ndarray:
        """Returns values of all nodes from those of the bottom cells; the first axis of `bottom` is the cells."""
        flat = bottom.reshape(self.n_bottom, -1)
        return np.concatenate([self.summing @ flat, flat]).reshape(-1, *bottom.shape[1:])


def joined(frame: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    """Returns the keys joined by "/", the name of a cell."""
    named = frame[keys[0]].astype("str")
    return named.str.cat([frame[key].astype("str") for key in keys[1:]], sep="/") if len(keys) > 1 else named


def parse_spec(spec: str | Sequence[Sequence[str]] | None, keys: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the aggregate levels a spec such as `"state; purpose; state,purpose"` names, each in the order of `keys`.

    Total and the bottom level are always there and may be named or not. Raises UsageError with the nearest key.
    """
    if spec is None:
        return []
    parts = [part.split(",") for part in spec.split(";")] if isinstance(spec, str) else spec
    levels = []
    for part in parts:
        names = [name.strip() for name in part if name.strip()]
        for name in names:
            if name not in keys and name != TOTAL:
                raise UsageError(
                    f"--spec names '{name}', which is not among --by {','.join(keys)}.{did_you_mean(name, keys)}"
                )
        level = tuple(key for key in keys if key in names)
        if level and len(level) < len(keys) and level not in levels:
            levels.append(level)
    return levels


def build(cells: pd.DataFrame, keys: Sequence[str], spec: str | Sequence[Sequence[str]] | None = None) -> Hierarchy:
    """Returns the hierarchy of bottom `cells` (one row a cell, unique in `keys`), sorted by their keys.

    Raises DataError when a cell stands twice or a key is empty.
    """
    keys = tuple(keys)
    bottom = cells[list(keys)].astype(str).sort_values(list(keys), kind="stable").reset_index(drop=True)
    if bottom.duplicated().any():
        raise DataError(f"cell {'/'.join(bottom[bottom.duplicated()].iloc[0])} stands twice. Keep one row a cell.")
    frames, matrices = [], []
    for level in [(), *parse_spec(spec, keys)]:
        frame, matrix = _level(bottom, level)
        frames.append(frame)
        matrices.append(matrix)
    frames.append(_named(bottom, keys))
    nodes = pd.concat(frames, ignore_index=True)
    for key in keys:
        nodes[key] = nodes[key].fillna(TOTAL)
    nodes["unique_id"] = _distinct(nodes, keys)
    columns = ["unique_id", "level", *keys]
    return Hierarchy(nodes[columns], sparse.vstack(matrices, format="csr"), keys)


def _named(frame: pd.DataFrame, level: Sequence[str]) -> pd.DataFrame:
    ids = frame[level[0]].str.cat([frame[key] for key in level[1:]], sep="/") if len(level) else TOTAL
    return frame.assign(unique_id=ids, level="/".join(level) or TOTAL)


def _level(bottom: pd.DataFrame, level: tuple[str, ...]) -> tuple[pd.DataFrame, sparse.csr_matrix]:
    n = len(bottom)
    if not level:
        top = pd.DataFrame({"unique_id": [TOTAL], "level": [TOTAL]})
        return top, sparse.csr_matrix(np.ones((1, n)))
    codes = bottom.groupby(list(level), sort=True).ngroup().to_numpy()
    nodes = bottom[list(level)].drop_duplicates().sort_values(list(level)).reset_index(drop=True)
    matrix = sparse.csr_matrix((np.ones(n), (codes, np.arange(n))), shape=(len(nodes), n))
    return _named(nodes, level), matrix


def _distinct(nodes: pd.DataFrame, keys: tuple[str, ...]) -> pd.Series:
    """Returns the ids, those that two levels share written out as `key=value`."""
    shared = nodes["unique_id"].duplicated(keep=False)
    ids = nodes["unique_id"].copy()
    for row in np.flatnonzero(shared.to_numpy()):
        level = nodes["level"].iat[row]
        if level != TOTAL:
            ids.iat[row] = "/".join(f"{key}={nodes[key].iat[row]}" for key in level.split("/") if key in keys)
    return ids
