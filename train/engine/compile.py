"""Compiled training steps, over devices and seeds, and functions over whole data sets."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.optimize import in_microbatches
from jaxgen.preprocess import Preparation
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import example_keys
from train.data import Rows

AXIS = "device"


class Steps(NamedTuple):
    """A recipe compiled for its devices. With several seeds, keys, states and rows have a leading axis of seeds."""

    init: Callable[..., State]  # (key, data, rows [(draws,) B]) -> State
    # (key, state, data, first_step, rows, running=None) -> metrics, one a step. Of the seeds only those train that are
    # `running` [S]; the others keep their state, and their metrics are NaN.
    call: Callable[..., tuple[State, dict]]
    put: Callable[[PyTree], PyTree]  # onto every device


def prepare_batch(prepare: Preparation, key: jax.Array, batch: Mapping[str, jax.Array], axis_name: str | None) -> dict:
    """The batch with x prepared, and y made of it where the preparation has a condition; an example has its own key."""
    x = batch["x"]
    keys = example_keys(key, len(x), axis_name)
    prepared = {**batch, "x": jax.vmap(prepare)(keys, x)}
    if prepare.condition is not None:
        prepared["y"] = jax.vmap(prepare.condition)(jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys), x)
    return prepared


def take_batch(
    prepare: Preparation, key: jax.Array, data: Mapping[str, jax.Array], rows: jax.Array, axis_name: str | None
) -> dict:
    """The examples at rows [B], prepared; at rows [draws, B] as many independent batches, leaves [draws, B, ...]."""
    batch = {name: array[rows] for name, array in data.items()}
    if rows.ndim == 1:
        return prepare_batch(prepare, key, batch, axis_name)
    draw = functools.partial(prepare_batch, prepare, axis_name=axis_name)
    return jax.vmap(draw)(jax.random.split(key, len(rows)), batch)


def first_state(
    recipe: Recipe, prepare: Preparation, key: jax.Array, data: Mapping[str, jax.Array], rows: jax.Array
) -> State:
    """The state of one seed before its first step, whose examples are at `rows`."""
    key_prepare, key_init = jax.random.split(key)
    return recipe.init(key_init, take_batch(prepare, key_prepare, data, rows, None))


def compile_steps(
    recipe: Recipe,
    prepare: Preparation,
    devices: Sequence[jax.Device],
    *,
    batch_size: int,
    seeds: int,
    accumulate: int = 1,
) -> Steps:
    """Compile the steps of a call: gather rows of the data on the device, prepare them, step; the state is donated.

    A call that ends with a short batch is a program of its own. One device goes through `jit`, which costs less a call;
    several through `pmap`, the batch divided over them, and those of several processes through `shard_map`, which is
    the same and takes arrays that all processes hold. The gradients of `accumulate` microbatches add up to one step.
    Raises ValueError where the batch does not divide.
    """
    if batch_size % len(devices):
        raise ValueError(f"--batch-size {batch_size}: expected a multiple of the {len(devices)} devices")
    if batch_size // len(devices) % accumulate:
        of_each = " of each device" * (len(devices) > 1)
        raise ValueError(
            f"--accumulate {accumulate}: expected a divisor of the {batch_size // len(devices)} examples{of_each}"
        )
    axis_name = AXIS if len(devices) > 1 else None
    step_once: Callable = functools.partial(recipe.step, axis_name=axis_name)
    if accumulate > 1:
        step_once = in_microbatches(recipe.step, accumulate, axis_name, batch_axis=int(recipe.draws > 1))

    def steps(
        key: jax.Array,
        state: State,
        data: Mapping[str, jax.Array],
        first: jax.Array,
        rows: Rows,
        running: jax.Array | None = None,
    ) -> tuple:
        def body(state: State, now: tuple[jax.Array, Any]) -> tuple[State, dict]:
            step, rows = now
            key_prepare, key_step = jax.random.split(jax.random.fold_in(key, step))
            batch = take_batch(prepare, key_prepare, data, rows, axis_name)
            return step_once(key_step, state, batch)

        def take(state: State) -> tuple[State, dict]:
            state, metrics = jax.lax.scan(body, state, (first + jnp.arange(len(rows.whole)), rows.whole))
            if rows.short is None:
                return state, metrics
            state, last = body(state, (first + len(rows.whole), rows.short))
            return state, jax.tree.map(jnp.append, metrics, last)

        if running is None:
            return take(state)
        no_metrics = jax.tree.map(
            lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), jax.eval_shape(take, state)[1]
        )
        return jax.lax.cond(running, take, lambda state: (state, no_metrics), state)

    def steps_by_seed(
        keys: jax.Array,
        states: State,
        data: Mapping[str, jax.Array],
        first: jax.Array,
        rows: Rows,
        running: jax.Array | None = None,
    ) -> tuple:
        if devices[0].platform == "cpu":  # one seed fills a CPU; batched matrix products and convolutions are slower
            return jax.lax.map(
                lambda seed: steps(seed[0], seed[1], data, first, seed[2], seed[3]), (keys, states, rows, running)
            )
        after, metrics = jax.vmap(steps, in_axes=(0, 0, None, None, 0))(keys, states, data, first, rows)
        if running is None:
            return after, metrics

        def freeze_stopped(new: jax.Array, old: jax.Array | float) -> jax.Array:
            return jnp.where(running.reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return jax.tree.map(freeze_stopped, after, states), {
            name: freeze_stopped(m, jnp.nan) for name, m in metrics.items()
        }

    init = functools.partial(first_state, recipe, prepare)
    function = steps_by_seed if seeds > 1 else steps
    compiled_init = jax.jit(jax.vmap(init, in_axes=(0, None, 0)) if seeds > 1 else init)
    if axis_name is None:
        put = functools.partial(jax.device_put, device=devices[0])
        return Steps(compiled_init, jax.jit(function, donate_argnums=1), put)

    mesh = jax.sharding.Mesh(np.array(devices), (AXIS,))
    everywhere = jax.sharding.NamedSharding(mesh, jax.P())
    short_axis = (seeds > 1) + (recipe.draws > 1)  # [(seeds,) (draws,) devices, b / devices]
    if len({device.process_index for device in devices}) > 1:
        return _over_processes(compiled_init, function, everywhere, short_axis)

    rows_axes = Rows(short_axis + 1, short_axis)  # type: ignore[arg-type]  # [(seeds,) K, (draws,) devices, B / devices]
    on_devices = jax.pmap(
        function,
        axis_name=AXIS,
        in_axes=(None, None, None, None, rows_axes, None),
        out_axes=(None, None),
        devices=devices,
        donate_argnums=1,
    )

    def call(
        key: jax.Array,
        state: State,
        data: Mapping[str, jax.Array],
        first: int,
        rows: Rows,
        running: np.ndarray | None = None,
    ) -> tuple:
        divided = jax.tree.map(lambda leaf: leaf.reshape(*leaf.shape[:-1], len(devices), -1), rows)
        return on_devices(key, state, data, first, divided, running)

    return Steps(compiled_init, call, functools.partial(jax.device_put, device=everywhere))


def _over_processes(
    init: Callable[..., State], function: Callable, everywhere: jax.sharding.NamedSharding, short_axis: int
) -> Steps:
    """The steps of several processes, each of which calls them with the same keys and rows, on arrays that all hold."""
    rows_specs = Rows(*(jax.P(*[None] * axis, AXIS) for axis in (short_axis + 1, short_axis)))  # type: ignore[arg-type]
    on_devices = jax.shard_map(
        function,
        mesh=everywhere.mesh,
        in_specs=(jax.P(), jax.P(), jax.P(), jax.P(), rows_specs, jax.P()),
        out_specs=(jax.P(), jax.P()),
        check_vma=False,
    )

    def call(
        key: jax.Array,
        state: State,
        data: Mapping[str, jax.Array],
        first: int,
        rows: Rows,
        running: np.ndarray | None = None,
    ) -> tuple:
        return on_devices(key, state, data, first, rows, running)

    def put(leaf: Any) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(leaf)))
        host = np.asarray(leaf)
        return jax.make_array_from_callback(host.shape, everywhere, lambda index: host[index])

    return Steps(init, jax.jit(call, donate_argnums=1), functools.partial(jax.tree.map, put))


def over_examples(
    function: Callable[[jax.Array, PyTree, dict], Any], *, batch_size: int
) -> Callable[[jax.Array, PyTree, Mapping[str, np.ndarray]], Any]:
    """Compile `function(key, model, batch)`, leaves [B, ...], into (key, model, examples) -> NumPy leaves [N, ...].

    Batch i has the key `fold_in(key, i)`. The last batch is filled up by repeating its last row, and what the function
    gives for the filling is dropped, so that one program serves all batches and each example counts once.
    """
    on_batch = jax.jit(function)

    def on_all(key: jax.Array, model: PyTree, examples: Mapping[str, np.ndarray]) -> Any:
        num = len(examples["x"])
        size, values = min(batch_size, num), None
        for index, first in enumerate(range(0, num, size)):
            rows = np.minimum(np.arange(first, first + size), num - 1)
            batch = {name: array[rows] for name, array in examples.items()}
            found = on_batch(jax.random.fold_in(key, index), model, batch)
            if values is None:  # filled as batches come: joining them at the end would hold all twice
                values = jax.tree.map(lambda leaf: np.empty((num, *leaf.shape[1:]), leaf.dtype), found)
            jax.tree.map(functools.partial(_fill, first), values, found)
        return values

    return on_all


def _fill(first: int, values: np.ndarray, found: jax.Array) -> None:
    part = values[first : first + len(found)]
    part[:] = np.asarray(found)[: len(part)]


def prepare_examples(prepare: Preparation, key: jax.Array, examples: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A whole set prepared once, so that all that is measured on it sees the same draw."""
    return _prepare_all(prepare)(key, None, examples)


@functools.lru_cache(maxsize=4)
def _prepare_all(prepare: Preparation) -> Callable:
    """Compiled once for all sets of a size: those of each seed, of evaluation and of the report."""
    return over_examples(lambda key, _, batch: prepare_batch(prepare, key, batch, None), batch_size=1000)
