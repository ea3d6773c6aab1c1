"""Counter-based random streams: the numbers of an item depend on its key and on nothing else."""

import numpy as np

from plumbline.core.digest import digest
from plumbline.core.errors import ParameterError


def random_stream(seed: int, stage: str, item: object = None) -> np.random.Generator:
    """Return the generator of one item of one stage.

    Any worker, in any order, draws the same numbers for the same key, because the Philox counter
    starts at zero under a key made from (seed, stage, item).

    Parameters
    ----------
    seed : the run's seed, a non-negative integer.
    stage : name of the stage that draws.
    item : anything with a canonical digest: a block number, an asset, a tuple.

    Returns
    -------
    A numpy generator over Philox 4x64.

    References
    ----------
    Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ParameterError(f"seed={seed!r} must be a non-negative integer")
    key = int(digest(("random_stream", seed, stage, item))[:32], 16)
    return np.random.Generator(np.random.Philox(key=key))
