"""The artifacts of the scorecard room, as TFX types; Kubeflow wants their names as `namespace.Title`."""

from tfx.types.artifact import Artifact


class ScorecardArtifact(Artifact):
    """The parent and its variants measured: `scorecard.json`, and TFMA's results below `tfma/<variant>/`."""

    TYPE_NAME = "roadworthy.Scorecard"


class BaselineArtifact(Artifact):
    """The last blessed model measured, if there is one: `baseline.json`, and TFMA's results below `tfma/`."""

    TYPE_NAME = "roadworthy.Baseline"
