"""The kernels as polars expressions: ``import plumbline.polars``, then ``pl.col("x").plumb.…``.

An expression reads its column in the order of the frame: sort by time first, or say
``.over("asset", order_by="bar_close")``. Statistics over trailing windows belong to each asset,
``.over("asset")``; statistics across assets belong to each bar, ``.over("bar_close")``. Null, NaN
and infinite values are missing; a result that does not exist is null. Arguments are checked when
the expression is written, not when it runs.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias, final

import numpy as np
import polars as pl
from jaxtyping import Float

from plumbline.core.arguments import Argument, require
from plumbline.core.errors import ParameterError
from plumbline.kernels import cross_scaling, cross_section, rolling, rolling_order, rolling_pairs
from plumbline.kernels.regression import RollingFit, RollingOptions, rolling_ols

Column: TypeAlias = str | pl.Expr
Values: TypeAlias = Float[np.ndarray, " rows"]


@final
@pl.api.register_expr_namespace("plumb")
class Plumb:
    """Kernels on one column of a frame, in long form; see :mod:`plumbline.polars`.

    Parameters
    ----------
    column : the expression before ``.plumb``.
    """

    def __init__(self, column: pl.Expr) -> None:
        self._column = column

    def rolling_mean(
        self, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return means; see :func:`plumbline.kernels.rolling_mean`."""
        return self._window(rolling.rolling_mean, window, min_obs, first_bar)

    def rolling_std(
        self, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return standard deviations; see :func:`plumbline.kernels.rolling_std`."""
        return self._window(rolling.rolling_std, window, min_obs, first_bar)

    def rolling_skew(
        self, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return skewness; see :func:`plumbline.kernels.rolling_skew`."""
        return self._window(rolling.rolling_skew, window, min_obs, first_bar)

    def rolling_min(
        self, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return minima; see :func:`plumbline.kernels.rolling_min`."""
        return self._window(rolling.rolling_min, window, min_obs, first_bar)

    def rolling_max(
        self, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return maxima; see :func:`plumbline.kernels.rolling_max`."""
        return self._window(rolling.rolling_max, window, min_obs, first_bar)

    def rolling_median(
        self, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return medians; see :func:`plumbline.kernels.rolling_median`."""
        return self._window(rolling_order.rolling_median, window, min_obs, first_bar)

    def rolling_rank(
        self, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return the ranks of the latest values; see :func:`plumbline.kernels.rolling_rank`."""
        return self._window(rolling_order.rolling_rank, window, min_obs, first_bar)

    def rolling_quantile(
        self,
        q: float | Sequence[float],
        window: int,
        *,
        min_obs: int | None = None,
        first_bar: int = 0,
    ) -> pl.Expr:
        """Return one quantile, or a struct with a field ``q<share>`` for each of several.

        See :func:`plumbline.kernels.rolling_quantile`.
        """
        kernel = partial(
            rolling_order.rolling_quantile, q=q, window=window, min_obs=min_obs, first_bar=first_bar
        )
        if np.ndim(q) == 0:
            return _mapped([self._column], kernel)
        return _mapped([self._column], kernel, [f"q{share!r}" for share in np.asarray(q).tolist()])

    def ewma(
        self,
        half_life: float,
        *,
        window: int | None = None,
        min_obs: int | None = None,
        first_bar: int = 0,
    ) -> pl.Expr:
        """Return exponentially weighted means; see :func:`plumbline.kernels.ewma`."""
        return _mapped(
            [self._column],
            partial(
                rolling.ewma,
                half_life=half_life,
                window=window,
                min_obs=min_obs,
                first_bar=first_bar,
            ),
        )

    def rolling_corr(
        self, other: Column, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return correlations with another column; see :func:`plumbline.kernels.rolling_corr`."""
        kernel = partial(
            rolling_pairs.rolling_corr, window=window, min_obs=min_obs, first_bar=first_bar
        )
        return _mapped([self._column, other], kernel)

    def rolling_beta(
        self, other: Column, window: int, *, min_obs: int | None = None, first_bar: int = 0
    ) -> pl.Expr:
        """Return slopes on another column; see :func:`plumbline.kernels.rolling_beta`."""
        kernel = partial(
            rolling_pairs.rolling_beta, window=window, min_obs=min_obs, first_bar=first_bar
        )
        return _mapped([self._column, other], kernel)

    def rolling_ols(
        self,
        factors: Column | Sequence[Column],
        window: int,
        *,
        min_obs: int | None = None,
        intercept: bool = True,
        options: RollingOptions | None = None,
    ) -> pl.Expr:
        """Return a struct of alpha, beta_<factor>, residual, r2 and n_obs.

        The residual is in-sample; ``options=RollingOptions(as_of_lag=1)`` gives the causal one,
        whose coefficients were known before the bar. Fields that the options leave out are not
        there; with ``inference`` there are also stderr_<…>, t_<…> and condition. See
        :func:`plumbline.kernels.rolling_ols`.
        """
        columns = _columns("factors", factors)
        names = [column.meta.output_name() for column in columns]
        chosen = options or RollingOptions()

        def kernel(y: Values, *x: Values) -> Sequence[Values]:
            fit = rolling_ols(
                y[:, None],
                np.column_stack(x),
                window,
                min_obs=min_obs,
                intercept=intercept,
                options=chosen,
            )
            return list(_fit_columns(fit, names).values())

        fit = rolling_ols(
            np.empty((0, 1)), np.empty((0, len(names))), window, min_obs=min_obs, options=chosen
        )
        return _mapped([self._column, *columns], kernel, list(_fit_columns(fit, names)))

    def winsorise(self, limits: tuple[float, float] = (0.01, 0.99)) -> pl.Expr:
        """Return clipped values; see :func:`plumbline.kernels.winsorise`."""
        return self._bar(partial(cross_scaling.winsorise, limits=limits))

    def zscore(self, *, ddof: int = 1) -> pl.Expr:
        """Return z-scores across assets; see :func:`plumbline.kernels.zscore`."""
        return self._bar(partial(cross_scaling.zscore, ddof=ddof))

    def rank(self) -> pl.Expr:
        """Return ranks across assets; see :func:`plumbline.kernels.rank`."""
        return self._bar(cross_scaling.rank)

    def gaussian_rank(self) -> pl.Expr:
        """Return normal scores across assets; see :func:`plumbline.kernels.gaussian_rank`."""
        return self._bar(cross_scaling.gaussian_rank)

    def neutralise(
        self,
        exposures: Column | Sequence[Column] = (),
        *,
        weights: Column | None = None,
        groups: Column | None = None,
    ) -> pl.Expr:
        """Return residuals across assets; see :func:`plumbline.kernels.neutralise`.

        The column of groups, such as sectors, may hold text; null is no group.
        """
        columns = _columns("exposures", exposures)
        given = {"weights": weights, "groups": groups}
        named = {
            name: _column(name, column) for name, column in given.items() if column is not None
        }
        if groups is not None:  # numbers in the order of appearance, whatever the groups are called
            named["groups"] = named["groups"].cast(pl.String).cast(pl.Categorical).to_physical()

        def kernel(signal: Values, *rest: Values) -> Values:
            loadings = np.empty((1, len(signal), len(columns)))
            for k, column in enumerate(rest[: len(columns)]):
                loadings[0, :, k] = column
            chosen = dict(zip(named, rest[len(columns) :], strict=True))
            weight, group = chosen.get("weights"), chosen.get("groups")
            residual: Values = cross_section.neutralise(
                signal[None],
                loadings,
                None if weight is None else weight[None],
                groups=None if group is None else group[None],
            )[0]
            return residual

        return _mapped([self._column, *columns, *named.values()], kernel)

    def _bar(self, kernel: Callable[..., Float[np.ndarray, "bars assets"]]) -> pl.Expr:
        def of_bar(values: Values) -> Values:
            found: Values = kernel(values[None])[0]
            return found

        return _mapped([self._column], of_bar)

    def _window(
        self,
        kernel: Callable[..., Float[np.ndarray, "*shape"]],
        window: int,
        min_obs: int | None,
        first_bar: int,
    ) -> pl.Expr:
        return _mapped(
            [self._column], partial(kernel, window=window, min_obs=min_obs, first_bar=first_bar)
        )


def _column(name: str, given: Column) -> pl.Expr:
    is_one = isinstance(given, (str, pl.Expr))
    require(Argument(name, given, is_one, "one column, as a name or an expression"))
    return pl.col(given) if isinstance(given, str) else given


def _columns(name: str, given: Column | Iterable[Column]) -> list[pl.Expr]:
    listed: list[Any] = [given]
    if isinstance(given, Iterable) and not isinstance(given, (str, pl.Expr)):
        listed = list(given)
    is_columns = all(isinstance(column, (str, pl.Expr)) for column in listed)
    require(Argument(name, given, is_columns, "columns, as names or expressions"))
    return [pl.col(column) if isinstance(column, str) else column for column in listed]


def _mapped(
    columns: Sequence[Column],
    kernel: Callable[..., Values | Sequence[Values]],
    names: Sequence[str] = (),
) -> pl.Expr:
    """Return an expression that a kernel makes of columns: one column, or a struct of several."""
    kernel(*(np.empty(0) for _ in columns))  # refuses wrong arguments here
    if len(set(names)) < len(names):
        raise ParameterError(f"two fields of the result have one name: {', '.join(names)}")

    def apply(series: Sequence[pl.Series]) -> pl.Series:
        found = kernel(*(_values(column) for column in series))
        if not names:
            return pl.Series(found).fill_nan(None)
        fields = zip(names, found, strict=True)
        return pl.DataFrame({name: pl.Series(v).fill_nan(None) for name, v in fields}).to_struct()

    kind = pl.Struct(dict.fromkeys(names, pl.Float64())) if names else pl.Float64()
    return pl.map_batches(_columns("columns", columns), apply, return_dtype=kind)


def _values(column: pl.Series) -> Values:
    found: Values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return found


def _fit_columns(fit: RollingFit, names: Sequence[str]) -> dict[str, Values]:
    """Return the columns of a fit of one asset by name."""
    terms = ["alpha", *names]
    found = {"alpha": fit.alpha[:, 0]}
    found |= {f"beta_{name}": fit.beta[:, 0, k] for k, name in enumerate(names)}
    found |= {"n_obs": fit.n_obs[:, 0].astype(np.float64)}
    for field in ("residual", "r2", "condition"):
        values = getattr(fit, field)
        found |= {} if values is None else {field: values[:, 0]}
    for field, values in (("stderr", fit.stderr), ("t", fit.tstat)):
        if values is not None:
            found |= {f"{field}_{term}": values[:, 0, k] for k, term in enumerate(terms)}
    return found
