"""What goes wrong in a Beam worker stays what it is; that one was killed is in `make test-beam`."""

import apache_beam as beam
import pytest

from roadworthy.pipeline.beam.lost import lost_workers_named


def test_an_error_of_the_work_itself_comes_through():
    with pytest.raises(Exception, match="division by zero"), lost_workers_named(), beam.Pipeline() as pipeline:
        _ = pipeline | beam.Create([0]) | beam.Map(lambda number: 1 / number)
