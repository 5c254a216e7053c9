"""Names that the compiled module needs for itself, so that no condition or block can have them."""

from __future__ import annotations

from keyword import iskeyword

from growlang.diagnostics import Findings, Span

COMPILER = frozenset({"self", "all", "log_snr"})
"""What `attend`, selectors and the inputs of a net call by these names."""

_TORCH = """
    add_module add_submodule append apply bfloat16 buffers call_super_init children clear code
    compile cpu cuda delete_all_unused_submodules delete_submodule double dump_patches eval extend
    extra_repr float forward get_buffer get_extra_state get_parameter get_submodule graph half
    insert ipu items keys load_state_dict meta modules mtia named_buffers named_children
    named_modules named_parameters parameters pop print_readable recompile register_backward_hook
    register_buffer register_forward_hook register_forward_pre_hook register_full_backward_hook
    register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter
    register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ set_extra_state
    set_submodule shape_env share_memory state_dict to to_empty to_folder train training type
    update values xpu zero_grad
"""
TORCH = frozenset(_TORCH.split())
"""Attributes of PyTorch's modules, which a part of the same name would hide."""


def reserved(name: str) -> str:
    """Why no condition or block can have a name; empty where one can."""
    if name in COMPILER:
        return f"`{name}` is reserved: used by the compiler"
    if name in TORCH:
        return f"`{name}` is reserved: used by PyTorch's modules"
    return f"`{name}` is reserved: a Python keyword" if iskeyword(name) else ""


def refuse_reserved(kind: str, name: str, span: Span, findings: Findings) -> None:
    """A finding where no `kind` (`condition` or `block`) can have this name."""
    if message := reserved(name):
        findings.add(
            "G102", message, span, help=f"give the {kind} another name, such as `{name}_1`"
        )
