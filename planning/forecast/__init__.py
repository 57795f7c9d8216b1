"""Demand forecasting: what each series will sell, how sure that is, and whether past forecasts were right.

`forecast` answers for a table `unique_id, ds, y`; `engine` is the interface other code builds on. Numba and
scikit-learn are brought in only when a forecast is made.
"""

from __future__ import annotations
