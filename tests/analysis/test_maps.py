import io
import json

import numpy as np
import pytest
from PIL import Image

from mnist_core.analysis import maps
from mnist_core.errors import UserError


def groups(count: int = 20, width: int = 60) -> np.ndarray:
    """Three groups of rows that lie far from each other."""
    random = np.random.default_rng(0)
    centres = 10 * random.random((3, width))
    noise = random.random((3 * count, width))
    return (np.repeat(centres, count, axis=0) + noise).astype(np.float32)


# --- what is mapped ---


def test_all_images_are_mapped_where_they_are_few():
    assert maps.choose(np.array([3, 1, 3], np.uint8)).tolist() == [0, 1, 2]


def test_of_many_some_are_chosen_at_random_and_always_the_same(sample):
    places = maps.choose(sample.y_train, most=100)
    assert len(set(places.tolist())) == 100
    assert places.tolist() == sorted(places.tolist())
    assert places.tolist() == maps.choose(sample.y_train, most=100).tolist()
    assert places.tolist() != maps.choose(sample.y_train, most=100, seed=1).tolist()
    assert set(sample.y_train[places].tolist()) == set(range(10))


def test_pixels_are_rows_of_numbers():
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, 0, 1] = 255
    features = maps.pixels(images)
    assert features.shape == (2, 784)
    assert (features.sum(), features[1, 1]) == (255, 255)


# --- pca ---


def test_pca_turns_points_so_that_they_vary_most_along_the_first_axis():
    # A line along the diagonal of two of three columns, and a little of the third.
    features = np.array([[0, 0, 1], [3, 3, -1], [6, 6, -1], [9, 9, 1]], np.float32)
    points, shares = maps.pca(features)
    assert abs(points[:, 0]) == pytest.approx(np.array([4.5, 1.5, 1.5, 4.5]) * 2**0.5)
    assert abs(points[:, 1]) == pytest.approx([1, 1, 1, 1], abs=1e-5)
    # Sums of squares: 90 along the diagonal, 4 across.
    assert shares == pytest.approx([90 / 94, 4 / 94])
    assert (points.dtype, shares.dtype) == (np.float32, np.float64)


def test_pca_is_the_one_of_scikit_learn():
    from sklearn.decomposition import PCA

    features = np.random.default_rng(0).normal(size=(1200, 30)).astype(np.float32) ** 3
    points, shares = maps.pca(features)
    theirs = PCA(2, svd_solver="covariance_eigh").fit(features)
    assert shares == pytest.approx(theirs.explained_variance_ratio_, rel=1e-4)
    same = np.abs(points), np.abs(theirs.transform(features))
    np.testing.assert_allclose(*same, atol=1e-3)


def test_pca_is_the_same_each_time():
    assert np.array_equal(maps.pca(groups())[0], maps.pca(groups())[0])


# --- t-SNE ---


def test_tsne_keeps_groups_together_and_is_the_same_each_time():
    points = maps.tsne(groups())
    assert points.dtype == np.float32
    assert np.array_equal(points, maps.tsne(groups()))
    parts = points.reshape(3, 20, 2)
    centres = parts.mean(axis=1)
    spread = np.linalg.norm(parts - centres[:, np.newaxis], axis=2).max()
    between = [np.linalg.norm(centres[one] - centres[other]) for one, other in ((0, 1), (1, 2))]
    assert min(between) > 2 * spread


# --- both ---


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("draw", [lambda features: maps.pca(features)[0], maps.tsne])
@pytest.mark.parametrize(
    "features",
    [
        np.zeros((5, 8)),  # A network whose last hidden layer never says anything.
        np.arange(4).reshape(4, 1),  # One with a single unit.
        np.eye(2),
        np.repeat(np.eye(3), 2, axis=0),
    ],
    ids=["all alike", "one column", "two rows", "twins"],
)
def test_any_features_make_a_map(features, draw):
    points = draw(features.astype(np.float32))
    assert points.shape == (len(features), 2)
    assert np.isfinite(points).all()


@pytest.mark.parametrize("draw", [maps.pca, maps.tsne])
def test_one_point_makes_no_map(draw):
    with pytest.raises(ValueError, match="at least 2 rows"):
        draw(np.zeros((1, 8), np.float32))


@pytest.mark.parametrize("draw", [maps.pca, maps.tsne])
def test_features_that_would_take_all_memory_are_refused_with_a_sentence(draw):
    with pytest.raises(UserError, match=r"has 94,080 outputs"):
        draw(np.zeros((2, 94_080), np.float32))


# --- for the browser ---


def test_compact_points_are_whole_numbers_and_keep_their_shape():
    points = np.array([[-1, 5], [3, 5], [1, 6]], np.float32)
    assert maps.compact(points) == {"x": [0, 1000, 500], "y": [0, 0, 250]}
    assert json.loads(json.dumps(maps.compact(points))) == maps.compact(points)


@pytest.mark.filterwarnings("error")
def test_points_that_lie_in_one_place_stay_there():
    assert maps.compact(np.full((2, 2), 7, np.float32)) == {"x": [0, 0], "y": [0, 0]}


def test_a_sprite_holds_every_picture_in_its_place():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (130, 28, 28)).astype(np.uint8)
    picture = Image.open(io.BytesIO(maps.sprite(images)))
    assert picture.format == "PNG"
    assert picture.size == (2800, 56)
    sheet = np.asarray(picture.convert("L")).astype(int)
    for place in (0, 1, 99, 100, 129):
        left, top = 28 * (place % 100), 28 * (place // 100)
        cut = sheet[top : top + 28, left : left + 28]
        # Greys are 17 apart, so none is off by more than half of that.
        assert abs(cut - images[place]).max() <= 8
    assert not sheet[28:, 28 * 30 :].any()
    assert len(np.unique(sheet)) == maps.GREYS


def test_a_sprite_keeps_paper_and_ink_as_they_are_and_is_small(sample):
    data = maps.sprite(sample.x_test[:100])
    sheet = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    assert (sheet.min(), sheet.max()) == (0, 255)
    assert len(data) < 100 * 784 / 5
