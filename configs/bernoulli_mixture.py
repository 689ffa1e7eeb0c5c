"""A mixture of Bernoullis by EM, the baseline of the binary tables (Larochelle & Murray 2011, table 1).

    JAXGEN_DATA=DIR python -m train configs/bernoulli_mixture.py --data uci_dna --batch-size 1400

Each epoch is one iteration of EM on the whole training set, however large the batches are; a component starts from an
example of the first batch, so that this holds many. EM stops after ten iterations without a better validation NLL,
and the best mixture is kept. The number of components was chosen on validation data (docs/results/published.md).
One mixture for each digit of MNIST reached an accuracy of 0.9454 [0.9411, 0.9497] by Bayes' rule (`--data mnist
--by-class --binarize --num-components 20 --batch-size 5000 --steps 30 --features none`; docs/results/densities.md).
"""

from jaxgen import preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size


def experiment(
    *, num_components: Size = 64, smoothing: Rate = 0.1, by_class: bool = False, binarize: bool = False
) -> Experiment:
    """`smoothing` pseudo-counts of either value are added to those of every component.

    `by_class` fits one mixture a class. `binarize` draws each pixel of grey images anew at each visit.
    """

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        if by_class and spec.num_classes is None:
            raise ValueError("--by-class needs labels")
        return recipes.bernoulli_mixture(
            spec.shape,
            num_components,
            spec.num_classes if by_class else None,
            smoothing=smoothing,
            batches=spec.steps_per_epoch,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.binarize if binarize else preprocess.scale,
        data="uci_dna",
        batch_size=1000,
        steps=500,
        evaluate_every=1,
        checkpoint_every=50,
        unit="epoch",
        drop_last=False,
        select="nll",
        patience=10,
    )
