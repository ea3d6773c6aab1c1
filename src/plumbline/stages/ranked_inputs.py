"""What the nulls of an evaluation read, from the inputs of a stage."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from plumbline.core.alignment import conform
from plumbline.core.panel import Panel
from plumbline.factors.figure_panel import coefficients
from plumbline.stages.rank_forwards import rank_fields

if TYPE_CHECKING:
    from plumbline.factors.ranked import Ranked


def ranked_of(inputs: Mapping[str, Panel], horizons: tuple[int, ...]) -> "Ranked":
    """Return a signal and forward returns by ranks.

    Parameters
    ----------
    inputs : ``figures`` with its rank ICs, ``signal``, ``forward_ranks``.
    horizons : bars.
    """
    from plumbline.factors.ranked import Ranked
    from plumbline.kernels.order_statistics import centred_ranks

    after = inputs["forward_ranks"]
    value = np.where(after["is_priced"] > 0, conform(inputs["signal"], after)["signal"], np.nan)
    forwards = np.stack([after[name] for name in rank_fields(horizons)])
    ic, n_pairs = coefficients(conform(inputs["figures"], after), len(horizons))
    return Ranked(centred_ranks(value[None]), forwards, ic[None], n_pairs[None])
