"""What elapsed time alone would say: the figure that every other must be read beside.

Laboratory protocols run rest first, tasks at fixed minutes; whatever drifts can smuggle that in.
"""

from typing import Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from diastole.edge.chunks import Floats
from diastole.models.fit import balanced_weights
from diastole.models.judged import Judged

BOOSTING: Final = {"max_iter": 150, "max_leaf_nodes": 7, "early_stopping": False, "random_state": 0}


def elapsed_time(learned: Judged, *asked: Judged) -> list[Floats]:
    """Return p(stress) of each of ``asked`` from the time since the session's start alone.

    Everybody's by a model of the others in ``learned``, of which a person's own labels are no part.
    """
    told = [np.full(len(each), np.nan) for each in asked]
    with threadpool_limits(1):  # threads that wait for each other cost more than they save here
        for person in np.unique(np.concatenate([each.person for each in asked])).tolist():
            others = learned.take(learned.person != person)
            weights = balanced_weights(others.data_set, others.person, others.stress)
            clock = HistGradientBoostingClassifier(**BOOSTING)
            clock.fit(others.t_s[:, None], others.stress, sample_weight=weights * len(others))
            for p, each in zip(told, asked, strict=True):
                own = each.person == person
                if own.any():
                    p[own] = clock.predict_proba(each.t_s[own, None])[:, 1]
    return told
