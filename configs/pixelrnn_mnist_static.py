"""PixelRNN on statically binarized MNIST (van den Oord et al. 2016a): Row LSTM, Diagonal BiLSTM or a plain LSTM.

    JAXGEN_DATA=DIR python -m train configs/pixelrnn_mnist_static.py
    JAXGEN_DATA=DIR python -m train configs/pixelrnn_mnist_static.py --network diagonal-lstm --blocks 1 --channels 32

The options are those of `configs/pixelcnn_mnist_static.py`; `blocks` are the recurrent layers. The paper reports 80.54
nats for the Row LSTM, and for the Diagonal BiLSTM 80.75 with one layer of 32 and 79.20 with seven of 16.
"""

from configs.pixelcnn_mnist_static import experiment as pixelcnn
from train.experiment import variant

experiment = variant(pixelcnn, network="row-lstm", blocks=3, steps=8000)
