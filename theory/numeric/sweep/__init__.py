"""Many runs of one function over a grid: in parallel, resumable, and safe from their worst point.

Rows are committed by the driver as they end, so a killed sweep loses nothing that it has shown, and
the same call goes on with what is missing.
"""

from theory.numeric.sweep.run import sweep
from theory.numeric.sweep.supervisor import SweepError
from theory.numeric.sweep.table import SweepTable

__all__ = ["SweepError", "SweepTable", "sweep"]
