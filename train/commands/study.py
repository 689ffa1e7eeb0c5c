"""Run a study of one question.

    python -m train study NAME [OPTIONS]

`minmax`: GAN training on a line; `crossing`: naive Bayes against logistic regression; `likelihood`: densities and
likelihood surfaces; `world_map`: generators of points on land; `hmm_or_crf`: the crossing of sequences; `unseen_class`:
classifiers and a density of cats and birds, tested on dogs; `distinct`: how many different outputs a generator has;
`representations`: simple classifiers of the codes of several models.
"""

from train.errors import InputError
from train.studies import crossing, distinct, hmm_or_crf, likelihood, minmax, representations, unseen_class, world_map

_STUDIES = {
    "minmax": minmax,
    "crossing": crossing,
    "likelihood": likelihood,
    "world_map": world_map,
    "hmm_or_crf": hmm_or_crf,
    "unseen_class": unseen_class,
    "distinct": distinct,
    "representations": representations,
}


def main(arguments: list[str]) -> None:
    """Run the study named by the first argument, with the remaining ones as its options."""
    name, *options = arguments or [""]
    if name in ("-h", "--help"):
        print(__doc__)
    elif name not in _STUDIES:
        raise InputError(f"study {name}: expected one of {', '.join(_STUDIES)}")
    else:
        _STUDIES[name].main(options)
