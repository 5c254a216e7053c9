"""growlang: a language and a compiler for neural networks that grow while they train.

Everything below is loaded when it is first used: `import growlang` loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from growlang.version import __version__

if TYPE_CHECKING:
    from growlang.api.evaluating import evaluate
    from growlang.api.notebook import (
        average,
        conditions,
        denoiser,
        export,
        generate,
        load_run,
        load_weights,
        objective,
        sample,
    )
    from growlang.api.preparing import import_hf, init, pack, transfer
    from growlang.api.reports import compare, report, runs, status
    from growlang.api.specs import check, compile, diff, grow, load, plan, verify
    from growlang.api.training import RunFields, train
    from growlang.applying import Mapping
    from growlang.checking import Checked, Report, SpecError, SpecWarning
    from growlang.comparing import Difference
    from growlang.compiling import Compiled, TensorRow, TensorTable
    from growlang.diagnostics import Diagnostic, GrowlangError, Span
    from growlang.growth.learning import ApproximateGrowth
    from growlang.growth.mapping import Entry
    from growlang.growth.promise import Promise, Standing
    from growlang.interop.importing import Imported
    from growlang.net import Net, Node, Shape, Tensor
    from growlang.plans.plan import Plan
    from growlang.starting.start import Started
    from growlang.transferring.transfer import Transferred
    from growlang.verifying import GrownMapping, Verification
    from growlang_runtime.diffusion.objective import Denoising, Objective
    from growlang_runtime.evaluation.result import Evaluation, Evaluations, Result
    from growlang_runtime.export.exporting import Exported
    from growlang_runtime.language.texts import Texts
    from growlang_runtime.notebook.conditions import Conditions
    from growlang_runtime.notebook.run import Run
    from growlang_runtime.notebook.weights import Weights
    from growlang_runtime.packing.packed import Packed
    from growlang_runtime.report.comparison import Comparison
    from growlang_runtime.report.page.document import ReportPage
    from growlang_runtime.report.runs import Runs, RunSummary
    from growlang_runtime.report.samples import Samples
    from growlang_runtime.storage.averaging import Averaged
    from growlang_runtime.train.options import RunOptions
    from growlang_runtime.train.result import TrainResult

__all__ = [
    "ApproximateGrowth",
    "Averaged",
    "Checked",
    "Comparison",
    "Compiled",
    "Conditions",
    "Denoising",
    "Diagnostic",
    "Difference",
    "Entry",
    "Evaluation",
    "Evaluations",
    "Exported",
    "GrowlangError",
    "GrownMapping",
    "Imported",
    "Mapping",
    "Net",
    "Node",
    "Objective",
    "Packed",
    "Plan",
    "Promise",
    "Report",
    "ReportPage",
    "Result",
    "Run",
    "RunFields",
    "RunOptions",
    "RunSummary",
    "Runs",
    "Samples",
    "Shape",
    "Span",
    "SpecError",
    "SpecWarning",
    "Standing",
    "Started",
    "Tensor",
    "TensorRow",
    "TensorTable",
    "Texts",
    "TrainResult",
    "Transferred",
    "Verification",
    "Weights",
    "__version__",
    "average",
    "check",
    "compare",
    "compile",
    "conditions",
    "denoiser",
    "diff",
    "evaluate",
    "export",
    "generate",
    "grow",
    "import_hf",
    "init",
    "load",
    "load_run",
    "load_weights",
    "objective",
    "pack",
    "plan",
    "report",
    "runs",
    "sample",
    "status",
    "train",
    "transfer",
    "verify",
]

if not TYPE_CHECKING:
    _HOMES = {
        "growlang.api.evaluating": "evaluate",
        "growlang.api.notebook": (
            "average conditions denoiser export generate load_run load_weights objective sample"
        ),
        "growlang.api.preparing": "import_hf init pack transfer",
        "growlang.api.reports": "compare report runs status",
        "growlang.api.specs": "check compile diff grow load plan verify",
        "growlang.api.training": "RunFields train",
        "growlang.checking": "Checked Report SpecError SpecWarning",
        "growlang.comparing": "Difference",
        "growlang.compiling": "Compiled TensorRow TensorTable",
        "growlang.diagnostics": "Diagnostic GrowlangError Span",
        "growlang.applying": "Mapping",
        "growlang.growth.learning": "ApproximateGrowth",
        "growlang.growth.mapping": "Entry",
        "growlang.growth.promise": "Promise Standing",
        "growlang.net": "Net Node Shape Tensor",
        "growlang.plans.plan": "Plan",
        "growlang.interop.importing": "Imported",
        "growlang.starting.start": "Started",
        "growlang.transferring.transfer": "Transferred",
        "growlang.verifying": "GrownMapping Verification",
        "growlang_runtime.report.comparison": "Comparison",
        "growlang_runtime.report.page.document": "ReportPage",
        "growlang_runtime.report.runs": "RunSummary Runs",
        "growlang_runtime.diffusion.objective": "Denoising Objective",
        "growlang_runtime.evaluation.result": "Evaluation Evaluations Result",
        "growlang_runtime.export.exporting": "Exported",
        "growlang_runtime.language.texts": "Texts",
        "growlang_runtime.notebook.conditions": "Conditions",
        "growlang_runtime.notebook.run": "Run",
        "growlang_runtime.notebook.weights": "Weights",
        "growlang_runtime.report.samples": "Samples",
        "growlang_runtime.storage.averaging": "Averaged",
        "growlang_runtime.packing.packed": "Packed",
        "growlang_runtime.train.options": "RunOptions",
        "growlang_runtime.train.result": "TrainResult",
    }
    _HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(import_module(_HOME[name]), name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
