"""What each metric measures and which direction is better, in a line for readers of a report."""

from typing import Literal, NamedTuple

Direction = Literal["lower is better", "higher is better", ""]


class Meaning(NamedTuple):
    """A metric in plain words."""

    text: str
    better: Direction  # "" where neither direction is better by itself


def _lower(text: str) -> Meaning:
    return Meaning(text, "lower is better")


def _higher(text: str) -> Meaning:
    return Meaning(text, "higher is better")


def _neither(text: str) -> Meaning:
    return Meaning(text, "")


#: By the names of `evaluation.json`. A report leads with the first of these that were measured, in this order.
MEANINGS = {
    "nll": _lower("Exact -log p(x) of a test example."),
    "importance_weighted_nll": _lower("-log p(x) by importance sampling: an upper bound, tighter with more samples."),
    "negative_elbo": _lower("Upper bound of -log p(x): reconstruction plus KL."),
    "marginal_nll": _lower("Exact -log p(x) of a class-conditional model, summed over the classes by their prior."),
    "accuracy": _higher("Share of test examples whose most probable class is their label."),
    "linear_probe_accuracy": _higher("Accuracy of logistic regression on the model's features or codes."),
    "nearest_neighbour_accuracy": _higher("Accuracy of the nearest neighbour in the model's features or codes."),
    "probe_accuracy_10": _higher("Accuracy of logistic regression trained on 10 labelled codes."),
    "probe_accuracy_100": _higher("Accuracy of logistic regression trained on 100 labelled codes."),
    "probe_accuracy_1000": _higher("Accuracy of logistic regression trained on 1,000 labelled codes."),
    "matching_error": _lower("Share of test examples whose category, found without labels, is of another class."),
    "mutual_information": _higher("Lower bound on the mutual information of code and sample."),
    "modes": _higher("Modes of the true mixture that samples reach."),
    "high_quality": _higher("Share of samples within a few standard deviations of a mode of the true mixture."),
    "frechet_distance": _lower("Distance between Gaussians fitted to features of samples and of test data."),
    "bits_per_dim": _lower("-log p(x) in bits for each value of the 8-bit or binary data."),
    "frechet_distance_of_reconstructions": _lower("Frechet distance of decoded test codes to their own examples."),
    "cost": _lower("Reconstruction cost of a test example, which a Wasserstein autoencoder minimizes."),
    "squared_error": _lower("Squared error of a reconstruction, summed over the example."),
    "translation_error": _lower("Squared error of a translation to the twin of its example, summed over the example."),
    "memorization": _neither("Share of samples nearer to a training than to a test example; 0.5 without memorization."),
    "cross_entropy": _lower("-log p(y | x) of the label."),
    "parzen_log_likelihood": _higher("Log-density of test data under a Parzen window on samples; a poor measure."),
    "ood_auroc": _higher("Chance that -log p(x) ranks an example of the other data set above one of the run's."),
    "reconstruction": _lower("-log p(x | z) of the ELBO, for z from the posterior."),
    "kl": _neither("KL divergence of the posterior from the prior: the information in z."),
    "annealed_nll": _lower("-log p(x) by annealed importance sampling, on a part of the test set."),
    "importance_weighted_excess": _lower("How far the importance-weighted bound lies above the annealed one."),
    "annealed_gap": _lower("Gap between forward and reverse chains, which enclose log p(x) of simulated examples."),
    "class_reverse_kl": _lower("KL divergence of the classes of samples from those of the training data."),
    "classes": _higher("Classes that a classifier finds among the samples."),
    "mode_reverse_kl": _lower("KL divergence of the modes that samples reach from those of the true mixture."),
    "frechet_distance_of_training_data": _neither("What samples as good as the training data would reach."),
    "kernel_distance": _lower("Squared MMD between features of samples and of test data, under a cubic kernel."),
    "precision": _higher("Share of samples within the manifold of the test data."),
    "recall": _higher("Share of test examples within the manifold of the samples."),
    "density": _higher("Neighbourhoods of test examples that hold a sample, relative to what is expected."),
    "coverage": _higher("Share of test examples with a sample in their neighbourhood."),
    "nearest_training_example": _neither("Distance of a sample to the nearest training example."),
    "nearest_test_example": _neither("Distance of a sample to the nearest test example."),
    "frechet_distance_of_normal": _lower("Frechet distance of decoded draws from N(0, I)."),
    "frechet_distance_of_gaussian": _lower("Frechet distance of decoded draws from a Gaussian fitted to codes."),
    "frechet_distance_of_gmm": _lower("Frechet distance of decoded draws from a 10-component mixture fitted to codes."),
    "frechet_distance_of_interpolations": _lower("Frechet distance of decoded mid-points between two codes."),
    "mmd_to_prior": _lower("Squared MMD between test codes and the prior."),
    "mmd_p_value": _higher("Probability of an MMD as large if the codes were draws from the prior."),
    "parzen_window": _neither("Standard deviation of the Parzen window, chosen on validation data."),
    "real_logit": _neither("What the discriminator says of test examples."),
    "fake_logit": _neither("What the discriminator says of samples."),
}
