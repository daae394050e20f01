import pytest
from pydantic import ValidationError

from roadworthy.components.serving_check.settings import RehearsalSettings


@pytest.mark.parametrize("key", ["max_latency_p95", "max_memory", "max_start"])
def test_there_is_no_parent_to_compare_with(key):
    with pytest.raises(ValidationError, match=r"there is no parent to compare with\. Received: '50%'"):
        RehearsalSettings.model_validate({key: "50%"})


@pytest.mark.parametrize("values", [{"requests": 0}, {"tolerance": 0}, {"warm_up_requests": 501}, {"by": "hand"}])
def test_values_out_of_range_are_refused(values):
    with pytest.raises(ValidationError):
        RehearsalSettings.model_validate(values)
