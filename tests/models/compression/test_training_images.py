import numpy as np

from roadworthy.models.compression.training_images import TrainingImages


def test_a_sample_is_the_same_for_the_same_seed_and_spread_over_both_classes(images):
    one, two = (np.concatenate(list(images.sample(12).as_numpy_iterator())) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (12, 24, 24, 3)


def test_another_seed_draws_another_sample(images, train_files):
    other = TrainingImages(train_files, height=24, width=24, batch_size=8, seed=2)
    mine, others = (next(some.sample(1).as_numpy_iterator()) for some in (images, other))
    assert not np.array_equal(mine, others)


def test_a_sample_larger_than_the_split_is_the_whole_split(images):
    assert len(list(images.sample(1000))) == images.count() == 40
