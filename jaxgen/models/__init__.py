"""Flax Linen models configured by plain numbers; without losses, optimizers or sampling loops."""

from jaxgen.models.autoencoder import (
    Autoencoder,
    Decoder,
    Encoder,
    Gaussian,
    GaussianEncoder,
)
from jaxgen.models.bernoulli_mixture import (
    MixtureCounts,
    component_likelihood,
    mixture_counts,
    mixture_logits,
)
from jaxgen.models.bigan import (
    InferenceNetwork,
    JointDiscriminator,
)
from jaxgen.models.chain import (
    Chain,
    ChainMarginals,
    chain_log_partition,
    chain_marginals,
    chain_nll,
    chain_score,
    viterbi,
)
from jaxgen.models.chain_crf import (
    ChainCRF,
    crf_chain,
    zero_chain_crf,
)
from jaxgen.models.classifier import (
    Classifier,
)
from jaxgen.models.flows.autoregressive import (
    MaskedAutoregressive,
)
from jaxgen.models.flows.coupling import (
    AffineCoupling,
    Conditioner,
    SplineCoupling,
)
from jaxgen.models.flows.elementwise import (
    Elementwise,
    affine,
    rational_quadratic,
)
from jaxgen.models.flows.flow import (
    FactorOut,
    Flatten,
    Flow,
    Squeeze,
)
from jaxgen.models.flows.linear import (
    InvertibleConv,
    Reverse,
)
from jaxgen.models.flows.norm import (
    ActNorm,
    FlowBatchNorm,
)
from jaxgen.models.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    Discriminator,
    Generator,
    Maxout,
    pack,
    with_minibatch_std,
)
from jaxgen.models.gated_pixelcnn import (
    GatedPixelCNN,
)
from jaxgen.models.gaussian import (
    GaussianMoments,
    covariance_factor,
    gaussian_moments,
)
from jaxgen.models.hidden_markov import (
    HiddenMarkov,
    MarkovCounts,
    expected_counts,
    hidden_markov_chain,
    hidden_markov_from_counts,
    observed_counts,
    sample_hidden_markov,
)
from jaxgen.models.hierarchical_vae import (
    HierarchicalVAE,
)
from jaxgen.models.infogan import (
    InfoDiscriminator,
)
from jaxgen.models.layers.basic import (
    MLP,
    GatedMLP,
    conv,
    conv_transpose,
)
from jaxgen.models.layers.condition import (
    Condition,
    condition_of,
    with_class,
)
from jaxgen.models.layers.convolution import (
    conv_general_dilated,
)
from jaxgen.models.layers.masked import (
    MaskedConv,
    raster_offsets,
    to_the_left,
)
from jaxgen.models.made import (
    MADE,
    Masks,
)
from jaxgen.models.naive_bayes import (
    ClassMoments,
    class_moments,
    total_variance,
)
from jaxgen.models.networks import (
    AutoencoderNetwork,
    AutoregressiveNetwork,
    ClassifierNetwork,
    HierarchicalNetwork,
    Network,
    PlayerNetwork,
    VAENetwork,
    from_nnx,
)
from jaxgen.models.pixel_rnn import (
    PixelRNN,
)
from jaxgen.models.pixelcnn import (
    PixelCNN,
)
from jaxgen.models.pixelcnn_plus_plus import (
    PixelCNNPlusPlus,
)
from jaxgen.models.translator import (
    Translator,
)
from jaxgen.models.vae import (
    VAE,
)

__all__ = [
    "MADE",
    "MLP",
    "VAE",
    "ActNorm",
    "AffineCoupling",
    "Autoencoder",
    "AutoencoderNetwork",
    "AutoregressiveNetwork",
    "Chain",
    "ChainCRF",
    "ChainMarginals",
    "ClassMoments",
    "Classifier",
    "ClassifierNetwork",
    "Condition",
    "Conditioner",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "Decoder",
    "Discriminator",
    "Elementwise",
    "Encoder",
    "FactorOut",
    "Flatten",
    "Flow",
    "FlowBatchNorm",
    "GatedMLP",
    "GatedPixelCNN",
    "Gaussian",
    "GaussianEncoder",
    "GaussianMoments",
    "Generator",
    "HiddenMarkov",
    "HierarchicalNetwork",
    "HierarchicalVAE",
    "InferenceNetwork",
    "InfoDiscriminator",
    "InvertibleConv",
    "JointDiscriminator",
    "MarkovCounts",
    "MaskedAutoregressive",
    "MaskedConv",
    "Masks",
    "Maxout",
    "MixtureCounts",
    "Network",
    "PixelCNN",
    "PixelCNNPlusPlus",
    "PixelRNN",
    "PlayerNetwork",
    "Reverse",
    "SplineCoupling",
    "Squeeze",
    "Translator",
    "VAENetwork",
    "affine",
    "chain_log_partition",
    "chain_marginals",
    "chain_nll",
    "chain_score",
    "class_moments",
    "component_likelihood",
    "condition_of",
    "conv",
    "conv_general_dilated",
    "conv_transpose",
    "covariance_factor",
    "crf_chain",
    "expected_counts",
    "from_nnx",
    "gaussian_moments",
    "hidden_markov_chain",
    "hidden_markov_from_counts",
    "mixture_counts",
    "mixture_logits",
    "observed_counts",
    "pack",
    "raster_offsets",
    "rational_quadratic",
    "sample_hidden_markov",
    "to_the_left",
    "total_variance",
    "viterbi",
    "with_class",
    "with_minibatch_std",
    "zero_chain_crf",
]
