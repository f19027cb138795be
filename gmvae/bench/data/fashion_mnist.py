"""Fashion-MNIST (Xiao et al., arXiv:1708.07747): 60,000 + 10,000 pictures of clothes, 28x28."""

from dataclasses import replace

from gmvae.bench.data import Dataset
from gmvae.bench.data.readers.idx import IdxFile, IdxSource, load_idx_dataset

# The publishers give MD5 sums of the packed files; the SHA-256 of each content is checked as well.
SOURCE = IdxSource(
    name="fashion_mnist",
    folders=("fashion_mnist", "FashionMNIST/raw", "fashion-mnist"),
    system_folders=("/usr/share/datasets/fashion-mnist",),
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    train_images=IdxFile(
        "train-images-idx3-ubyte",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        (60_000, 28, 28),
    ),
    train_labels=IdxFile(
        "train-labels-idx1-ubyte",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "md5:25c81989df183df01b3e8a0aad5dffbe",
        (60_000,),
    ),
    test_images=IdxFile(
        "t10k-images-idx3-ubyte",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "md5:bef4ecab320f06d8554ea6380940ec79",
        (10_000, 28, 28),
    ),
    test_labels=IdxFile(
        "t10k-labels-idx1-ubyte",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        "md5:bb300cfdad3c16e7a12a480ee83cd310",
        (10_000,),
    ),
)
TRAIN_SHAPE = SOURCE.train_images.shape


CLASS_NAMES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)


def load() -> Dataset:
    """Read Fashion-MNIST from a local folder or Debian's package, or download it."""
    return replace(load_idx_dataset(SOURCE), class_names=CLASS_NAMES)
