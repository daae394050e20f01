from tfx.types.standard_artifacts import Examples

from contracts.component import channel_of, check_component
from roadworthy.components.trainer.component import FineTuner


def test_it_keeps_the_component_contract():
    check_component(
        FineTuner(
            run_fn="roadworthy.models.finetuning.run_fn.run_fn",
            examples=channel_of(Examples),
            custom_config={"training_run": "{}"},
            head_epochs=1,
        )
    )
