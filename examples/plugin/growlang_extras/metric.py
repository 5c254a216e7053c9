"""The declaration of `contrast`: a metric of images, without torch."""

from growlang.signatures.signature import argument
from growlang.spec.metrics import Metric


class Contrast(Metric):
    """Mean standard deviation of an image's pixels, from 0 to 1; its floor is that of real ones."""

    call = "contrast"
    runtime = "growlang_extras.runtime:contrast"
    better = "higher"
    channel: int = argument("channel that is measured", 0, ge=0)
