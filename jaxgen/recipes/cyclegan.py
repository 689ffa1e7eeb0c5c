"""CycleGAN: translation between two domains without pairs (Zhu et al. 2017)."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import losses
from jaxgen._checks import check
from jaxgen.adversarial import (
    Player,
    apply_eval,
    apply_train,
    choose_game,
    half_step,
    init_player,
    tell_apart,
)
from jaxgen.models import PlayerNetwork
from jaxgen.optimize import check_optimizers, learning_rate
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import example_keys


class Pair(NamedTuple):
    """One of each for both domains: players, or pools of generated examples."""

    #: G: A -> B; the discriminator of A; generated examples of A.
    a: PyTree
    #: F: B -> A; the discriminator of B; generated examples of B.
    b: PyTree


class Model(NamedTuple):
    """Both sides of the game."""

    #: G: A -> B, and F: B -> A.
    generators: Pair
    #: D_A and D_B, each of an example of its domain.
    discriminators: Pair


class Train(NamedTuple):
    """Training state, which only `step` reads."""

    #: Optimizer state of both generators.
    generators: PyTree
    #: Optimizer state of both discriminators.
    discriminators: PyTree
    #: Generated examples of each domain, of all devices: two [P, ...].
    pools: Pair
    #: How many examples of each domain were generated so far, [].
    generated: jax.Array


def cyclegan(
    a_to_b: PlayerNetwork,
    b_to_a: PlayerNetwork,
    discriminator_a: PlayerNetwork,
    discriminator_b: PlayerNetwork,
    optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    cycle_weight: float = 10.0,
    identity_weight: float = 5.0,
    pool_size: int = 50,
    game: str = "least-squares",
) -> Recipe:
    """Train G: A -> B and F: B -> A against D_A and D_B so that F(G(a)) = a and G(F(b)) = b.

    x is of domain A and y, as `Experiment.condition` makes it, of domain B. A step takes two independent batches
    (`draws`): the x of the first and the y of the second, so that no a is trained beside its own b. G and F descend
    their losses in the game, plus `cycle_weight` times the mean absolute error of both cycles (eq. 2), plus
    `identity_weight` times that of G(b) = b and F(a) = a (section 5.2), against the discriminators as they are; then
    the discriminators step, on examples generated before that step, out of a pool of the last `pool_size` (Shrivastava
    et al. 2017): both sides step from the same parameters.
    `encode` is G and `decode` F.

    Raises ValueError for a `game` that is not in `jaxgen.adversarial.GAMES`, a pool that is not positive, and in `init`
    for generators whose output is not of the shape of the other domain.
    """
    check_optimizers(optimizer=optimizer, discriminator_optimizer=discriminator_optimizer)
    rules = choose_game(game)
    if pool_size < 1:
        raise ValueError(f"pool_size must be positive, got {pool_size}")
    generators, discriminators = Pair(a_to_b, b_to_a), Pair(discriminator_a, discriminator_b)

    def init(key: jax.Array, batch: dict) -> State:
        real = _unpaired(batch)
        keys = jax.random.split(key, 4)
        g = Pair(init_player(a_to_b, keys[0], real.a), init_player(b_to_a, keys[1], real.b))
        d = Pair(init_player(discriminator_a, keys[2], real.a), init_player(discriminator_b, keys[3], real.b))
        for name, found, wanted in (
            ("a_to_b", apply_eval(a_to_b, g.a, real.a), real.b),
            ("b_to_a", apply_eval(b_to_a, g.b, real.b), real.a),
        ):
            if found.shape != wanted.shape:
                raise ValueError(f"{name} must give examples of shape {wanted.shape[1:]}, gave {found.shape[1:]}")
        pools = jax.tree.map(lambda leaf: jnp.zeros((pool_size, *leaf.shape[1:]), leaf.dtype), real)
        train = Train(optimizer.init(_params(g)), discriminator_optimizer.init(_params(d)), pools, jnp.int32(0))
        return State(Model(g, d), train)

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        (g, d), (opt_state, d_opt_state, pools, generated) = state
        real = _unpaired(batch)

        def apply(networks: Pair, players: Pair, inputs: Pair) -> tuple[Pair, Pair]:
            """The outputs of both networks in training mode, and the players after."""
            found = [
                apply_train(network, player, x, axis_name=axis_name)
                for network, player, x in zip(networks, players, inputs, strict=True)
            ]
            return Pair(*(output for output, _ in found)), Pair(*(player for _, player in found))

        def loss(g: Pair) -> tuple:
            (into_b, into_a), _ = apply(generators, g, real)
            fake = Pair(into_a, into_b)
            back, after = apply(Pair(b_to_a, a_to_b), Pair(g.b, g.a), Pair(into_b, into_a))
            logits, _ = apply(discriminators, d, fake)
            adversarial = sum(rules.generator_loss(each) for each in logits)
            cycle = _absolute_error(back.a, real.a) + _absolute_error(back.b, real.b)
            objective = adversarial + cycle_weight * cycle
            metrics = {"adversarial_loss": adversarial, "cycle_error": cycle}
            if identity_weight:
                same, _ = apply(generators, g, Pair(real.b, real.a))
                metrics["identity_error"] = _absolute_error(same.a, real.b) + _absolute_error(same.b, real.a)
                objective += identity_weight * metrics["identity_error"]
            return objective, metrics, (Pair(after.b, after.a), fake)

        g, opt_state, metrics, fake = half_step(optimizer, loss, g, opt_state, axis_name, name="generators")

        shown, pools, generated = _from_pools(key, pools, generated, fake, axis_name)

        def tell(network: PlayerNetwork, *seen: PyTree) -> tuple:
            return tell_apart(rules, functools.partial(apply_train, network, axis_name=axis_name), *seen)

        def discriminator_loss(d: Pair) -> tuple:
            of_a, of_b = (tell(*each) for each in zip(discriminators, d, real, shown, strict=True))
            metrics = {name: jnp.concatenate([of_a[1][name], of_b[1][name]]) for name in of_a[1]}
            return of_a[0] + of_b[0], metrics, (Pair(of_a[2], of_b[2]), None)

        d, d_opt_state, d_metrics, _ = half_step(
            discriminator_optimizer, discriminator_loss, d, d_opt_state, axis_name, name="discriminators"
        )
        state = State(Model(g, d), Train(opt_state, d_opt_state, pools, generated))
        return state, {**d_metrics, **metrics, **learning_rate(opt_state)}

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        """Errors of F(G(x)), and of G(x) where y is its twin; logits of D_B for y and for G(x), in evaluation mode."""
        del key
        x, y = batch["x"], batch["y"]
        into_b = encode(model, x)
        d = model.discriminators.b
        return {
            "squared_error": losses.squared_error(decode(model, into_b), x),
            "translation_error": losses.squared_error(into_b, y),
            "real_logit": apply_eval(discriminator_b, d, y),
            "fake_logit": apply_eval(discriminator_b, d, into_b),
        }

    def encode(model: Model, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return apply_eval(a_to_b, model.generators.a, x)

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return apply_eval(b_to_a, model.generators.b, z)

    return Recipe(init=init, step=step, evaluate=evaluate, encode=encode, decode=decode, draws=2)


def _unpaired(batch: dict) -> Pair:
    """x of the first batch and y of the second."""
    check("cyclegan", x=(batch["x"], "float [2, B, ...]"), y=(batch["y"], "float [2, B, ...]"))
    return Pair(batch["x"][0], batch["y"][1])


def _params(players: Pair) -> Pair:
    return jax.tree.map(lambda player: player.params, players, is_leaf=lambda node: isinstance(node, Player))


def _absolute_error(x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean absolute error over the values of an example: two [B, ...] -> [B]."""
    return jnp.mean(jnp.abs(x - y).reshape(len(x), -1), axis=1)


def _from_pools(
    key: jax.Array, pools: Pair, generated: jax.Array, fake: Pair, axis_name: str | None
) -> tuple[Pair, Pair, jax.Array]:
    """What the discriminators see in place of generated examples; the pools after; the number generated.

    Until a pool is full an example goes into it and is shown. Then, with probability 1/2, one of the pool is shown in
    its place, which it takes; else it is shown. Pools are the same on all devices: examples enter in the order of the
    global batch, each under its own key.
    """
    every = jax.tree.map(lambda leaf: _of_all_devices(leaf, axis_name), fake)
    size, num = len(pools.a), len(every.a)
    keys = jax.vmap(lambda key: jax.random.split(key, 4))(example_keys(key, num))

    def enter(pool: jax.Array, now: tuple) -> tuple[jax.Array, jax.Array]:
        number, keys, x = now
        filling = number < size
        place = jnp.where(filling, number, jax.random.randint(keys[0], (), 0, size))
        takes = filling | jax.random.bernoulli(keys[1])
        shown = jnp.where(takes & ~filling, pool[place], x)
        return pool.at[place].set(jnp.where(takes, x, pool[place])), shown

    numbers = generated + jnp.arange(num)
    after_a, shown_a = jax.lax.scan(enter, pools.a, (numbers, keys[:, :2], every.a))
    after_b, shown_b = jax.lax.scan(enter, pools.b, (numbers, keys[:, 2:], every.b))
    own = len(fake.a)
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * own
    shown = [jax.lax.dynamic_slice_in_dim(leaf, first, own) for leaf in (shown_a, shown_b)]
    return Pair(*shown), Pair(after_a, after_b), generated + num


def _of_all_devices(x: jax.Array, axis_name: str | None) -> jax.Array:
    """The rows of all devices as a sum, which JAX knows to be the same on each: [B, ...] -> [devices B, ...]."""
    if axis_name is None:
        return x
    zeros = jnp.zeros((jax.lax.axis_size(axis_name) * len(x), *x.shape[1:]), x.dtype)
    first = jax.lax.axis_index(axis_name) * len(x)
    return jax.lax.psum(jax.lax.dynamic_update_slice_in_dim(zeros, x, first, axis=0), axis_name)
