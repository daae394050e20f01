import pytest

from roadworthy.serving.server.request_id import request_id


@pytest.mark.parametrize("given", ["a", "7f3c-11/2:3", "x" * 128])
def test_a_sane_id_is_kept(given):
    assert request_id(given) == given


@pytest.mark.parametrize("given", [None, "", "a b", 'a"', "a\n", "é", "x" * 129])
def test_another_is_replaced_by_a_new_one(given):
    made = {request_id(given), request_id(given)}
    assert len(made) == 2
    assert all(len(one) == 32 for one in made)
