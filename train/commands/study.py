"""Run a study, which answers one question.

`minmax`: GAN training on a line; `crossing`: naive Bayes or logistic regression; `hmm_or_crf`: the same for sequences;
`distinct`: how many different outputs a generator has; `unseen_class`: a class that was not trained on.

python -m train study minmax|crossing|hmm_or_crf|distinct|unseen_class [OPTIONS]
"""

from train.errors import InputError
from train.studies import crossing, distinct, hmm_or_crf, minmax, unseen_class

_STUDIES = {
    "minmax": minmax,
    "crossing": crossing,
    "hmm_or_crf": hmm_or_crf,
    "distinct": distinct,
    "unseen_class": unseen_class,
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
