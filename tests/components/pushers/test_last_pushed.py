from contracts.component import check_component
from roadworthy.components.pushers.last_pushed import LastPushed


def test_it_keeps_the_component_contract():
    check_component(LastPushed(model_root="gs://shop/served", name="shop", run_id="1"))
