"""Eight numbers that go through the same operations abreast, in one register where there is one.

The compiler takes them as a whole, so that it need not find out that eight scalar steps are alike
and that nothing overlaps. Each of the eight gets the bits of the scalar operation. They take part
in sums, products and comparisons as a number does, beside a number too. Interpreted, eight numbers
are an array.
"""

import operator
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model
from numba.np.arrayobj import make_array

from plumbline.kernels.compilation import compiled

LANES = 8
"""Numbers that go abreast."""

_ALIGNMENT = 8  # bytes; arrays begin anywhere


@compiled
def room_for(n: int) -> Float[np.ndarray, " entries"]:
    """Return a dense array of any content, each eight of which lie together in fast memory."""
    room = np.empty(n + LANES)
    first = -(room.ctypes.data // room.itemsize) % LANES
    return room[first : first + n]


def load(array: Float[np.ndarray, " entries"], at: int) -> Any:
    """Return eight entries of a dense array, from a place on; the place is not checked."""
    return array[at : at + LANES].copy()


def load_one(array: Float[np.ndarray, " entries"], at: int) -> Any:
    """Return one entry of a dense array eight times; the place is not checked."""
    return np.full(LANES, array[at])


def store(array: Float[np.ndarray, " entries"], at: int, eight: Any) -> None:
    """Write eight entries of a dense array, from a place on; the place is not checked."""
    array[at : at + LANES] = eight


def spread(number: float) -> Any:
    """Return a number eight times."""
    return np.full(LANES, float(number))


def choose(answers: Any, yes: Any, no: Any) -> Any:
    """Return, of each of the eight, one of two numbers."""
    return np.where(answers, yes, no)


def is_any(answers: Any) -> bool:
    """Return whether one of eight answers is yes."""
    return bool(np.any(answers))


def root(eight: Any) -> Any:
    """Return square roots."""
    return np.sqrt(eight)


def absolute(eight: Any) -> Any:
    """Return numbers without their signs."""
    return np.abs(eight)


class _Eight(types.Type):
    """Type of eight numbers, or of eight answers, in compiled code."""

    def __init__(self, name: str, entry: ir.Type) -> None:
        super().__init__(name=name)
        self.vector = ir.VectorType(entry, LANES)


_NUMBERS, _ANSWERS = _Eight("EightNumbers", ir.DoubleType()), _Eight("EightAnswers", ir.IntType(1))


@register_model(_Eight)
class _EightModel(models.PrimitiveModel):
    """How eight numbers lie in compiled code."""

    def __init__(self, manager: Any, form: Any) -> None:
        super().__init__(manager, form, form.vector)  # type: ignore[no-untyped-call]  # numba


def _teach(function: Any, given: tuple[Any, ...], made: Any, build: Callable[..., Any]) -> None:
    """Let compiled code call a function.

    Parameters
    ----------
    given : forms of the arguments; where one is eight numbers, a number may stand for them beside
        another eight.
    made : form of the result.
    build : called with the builder of instructions and the arguments.
    """
    takes_number = given == (types.Number,)

    def fits(form: Any, wanted: Any) -> bool:
        if isinstance(wanted, _Eight):
            return form is wanted or (wanted is _NUMBERS and isinstance(form, types.Number))
        return isinstance(form, wanted)

    class Typing(AbstractTemplate):
        key = function

        def generic(self, forms: Any, _named: Any) -> Any:
            has_eight = any(isinstance(form, _Eight | types.Array) for form in forms)
            is_known = len(forms) == len(given) and all(map(fits, forms, given))
            return signature(made, *forms) if is_known and (has_eight or takes_number) else None  # type: ignore[no-untyped-call]  # numba

    infer_global(function, types.Function(Typing))  # type: ignore[no-untyped-call]  # numba

    def built(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        ready = []
        for form, wanted, value in zip(signature.args, given, args, strict=True):
            if isinstance(form, types.Array):
                ready.append(make_array(form)(context, builder, value).data)  # type: ignore[no-untyped-call]  # numba
            elif wanted in (_NUMBERS, types.Number) and form is not _NUMBERS:
                number = context.cast(builder, value, form, types.float64)
                ready.append(_eight_times(builder, number))
            else:
                ready.append(value)
        return build(builder, *ready)

    choices = [(_Eight, types.Number) if form is _NUMBERS else (form,) for form in given]
    for classes in product(*choices):
        own = [_Eight if isinstance(form, _Eight) else form for form in classes]
        if takes_number or set(own) != {types.Number}:
            lower_builtin(function, *own)(built)  # type: ignore[no-untyped-call]  # numba


def _eight_times(builder: Any, number: Any) -> Any:
    eight = ir.Constant(_NUMBERS.vector, ir.Undefined)
    for lane in range(LANES):
        eight = builder.insert_element(eight, number, cgutils.int32_t(lane))
    return eight


def _build_load(builder: Any, data: Any, at: Any) -> Any:
    place = builder.bitcast(builder.gep(data, [at]), _NUMBERS.vector.as_pointer())
    return builder.load(place, align=_ALIGNMENT)


def _build_load_one(builder: Any, data: Any, at: Any) -> Any:
    return _eight_times(builder, builder.load(builder.gep(data, [at])))


def _build_store(builder: Any, data: Any, at: Any, eight: Any) -> Any:
    place = builder.bitcast(builder.gep(data, [at]), _NUMBERS.vector.as_pointer())
    builder.store(eight, place, align=_ALIGNMENT)
    return ir.Constant(ir.IntType(8).as_pointer(), None)  # None


def _build_any(builder: Any, answers: Any) -> Any:
    bits = builder.bitcast(answers, ir.IntType(LANES))
    return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))


def _call(name: str) -> Callable[..., Any]:
    """Return what calls a function of the compiler on eight numbers."""
    form = ir.FunctionType(_NUMBERS.vector, [_NUMBERS.vector])
    return lambda builder, eight: builder.call(
        builder.module.declare_intrinsic(name, fnty=form), [eight]
    )


def _compare(sign: str) -> Callable[..., Any]:
    return lambda builder, a, b: builder.fcmp_ordered(sign, a, b)


_teach(load, (types.Array, types.Integer), _NUMBERS, _build_load)
_teach(load_one, (types.Array, types.Integer), _NUMBERS, _build_load_one)
_teach(store, (types.Array, types.Integer, _NUMBERS), types.none, _build_store)
_teach(spread, (types.Number,), _NUMBERS, lambda _builder, eight: eight)
_teach(choose, (_ANSWERS, _NUMBERS, _NUMBERS), _NUMBERS, ir.IRBuilder.select)
_teach(is_any, (_ANSWERS,), types.boolean, _build_any)
_teach(root, (_NUMBERS,), _NUMBERS, _call("llvm.sqrt.v8f64"))
_teach(absolute, (_NUMBERS,), _NUMBERS, _call("llvm.fabs.v8f64"))
_teach(operator.add, (_NUMBERS, _NUMBERS), _NUMBERS, ir.IRBuilder.fadd)
_teach(operator.sub, (_NUMBERS, _NUMBERS), _NUMBERS, ir.IRBuilder.fsub)
_teach(operator.mul, (_NUMBERS, _NUMBERS), _NUMBERS, ir.IRBuilder.fmul)
_teach(operator.truediv, (_NUMBERS, _NUMBERS), _NUMBERS, ir.IRBuilder.fdiv)
_teach(operator.gt, (_NUMBERS, _NUMBERS), _ANSWERS, _compare(">"))
_teach(operator.ge, (_NUMBERS, _NUMBERS), _ANSWERS, _compare(">="))
_teach(operator.lt, (_NUMBERS, _NUMBERS), _ANSWERS, _compare("<"))
_teach(operator.eq, (_NUMBERS, _NUMBERS), _ANSWERS, _compare("=="))
_teach(operator.and_, (_ANSWERS, _ANSWERS), _ANSWERS, ir.IRBuilder.and_)
_teach(operator.or_, (_ANSWERS, _ANSWERS), _ANSWERS, ir.IRBuilder.or_)
_teach(operator.invert, (_ANSWERS,), _ANSWERS, ir.IRBuilder.not_)
