"""`inner`: compiles a function for its callers only, which makes compiling the kernels a third shorter.

Numba optimises each function with everything it calls, and turns it into machine code, before its callers are compiled:
at a depth of seven calls the innermost loop is optimised seven times. An inner function stops before both; the entry
point, which links all of them, is optimised and emitted once, and the cache keeps that one. Where a numba release has
other insides, `inner` is plain `njit`: the same results, compiled longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

OPTIONS = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}


def _short_way() -> dict[str, Any]:
    """Returns the extra options of an inner function; none where numba's insides are not the known ones."""
    try:
        from numba.core.codegen import JITCodeLibrary
        from numba.core.compiler import CompilerBase, DefaultPassBuilder

        for name in ("_optimize_final_module", "_finalize_final_module", "_finalize_dynamic_globals"):
            getattr(JITCodeLibrary, name)
    except (ImportError, AttributeError):
        return {}

    class InnerLibrary(JITCodeLibrary):
        """Code that is only ever linked into other libraries."""

        def _optimize_final_module(self) -> None:
            return None

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._finalized = True

    class InnerCompiler(CompilerBase):
        """Numba's own pipeline without machine code."""

        def define_pipelines(self) -> list[Any]:
            self.state.flags.no_compile = True
            self.state.library = InnerLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
            return [DefaultPassBuilder.define_nopython_pipeline(self.state)]

        def compile_extra(self, func: Callable[..., Any]) -> Any:
            result = super().compile_extra(func)
            stand_in: Any = [].append  # a builtin of its own, never called: callers find the code under it
            self.state.targetctx.insert_user_function(stand_in, result.fndesc, [result.library])
            return result._replace(entry_point=stand_in)

    return {"pipeline_class": InnerCompiler}


inner = njit(**OPTIONS, **_short_way())
