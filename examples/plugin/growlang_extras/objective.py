"""The declaration of `pseudo_huber`: a loss that outliers hardly move, without torch."""

from collections.abc import Mapping
from typing import Any

from growlang.signatures.signature import argument
from growlang.spec.objectives import Objective
from growlang.spec.schedules import CalledSchedule, Cosine


class PseudoHuber(Objective):
    """Pseudo-Huber distance of the prediction of v: quadratic below `scale`, linear above.

    sqrt(e^2 + scale^2) - scale of each image's error e (arXiv 2310.14189, section 3.3).
    """

    call = "pseudo_huber"
    runtime = "growlang_extras.runtime:PseudoHuberLoss"
    scale: float = argument("error, root of the sum of squares, at which it turns", 0.03, gt=0)
    schedule: CalledSchedule = argument("log-SNR over time", lambda: Cosine(base=64))
    drop: float = argument("probability that all conditions are null", 0.1, ge=0, le=1)

    def dropped(self) -> float | Mapping[str, float]:
        """As `drop` says."""
        return self.drop

    def meaning(self) -> Mapping[str, Any]:
        """The prediction and the noise schedule: `scale` does not change what weights mean."""
        return {"prediction": "v", "noise schedule": self.schedule}
