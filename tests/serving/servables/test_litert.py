from concurrent.futures import ThreadPoolExecutor

import numpy as np

from contracts.pictures import encode, pixels
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, SCORES
from roadworthy.serving.servables.open import open_servable


def test_threads_get_the_answers_to_their_own_images(exported):
    servable = open_servable(exported["litert"], litert_threads=1)
    images = [encode(pixels(seed)) for seed in range(8)]

    def scores(image):
        return servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: np.array([image], dtype=object)})[SCORES]

    alone = [scores(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(scores, images * 10))
    np.testing.assert_array_equal(together, alone * 10)
    servable.close()
