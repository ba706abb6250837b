"""The ensemble: what this room offers, and its modules; a name is loaded when it is first used."""

from simlab.ensemble import calibration as calibration
from simlab.ensemble import classifier as classifier
from simlab.ensemble import guard as guard
from simlab.ensemble import model as model
from simlab.ensemble import reading as reading
from simlab.ensemble import recipe as recipe
from simlab.ensemble import validation as validation
from simlab.ensemble import weighing as weighing
from simlab.ensemble.classifier import CopyClassifier as CopyClassifier
from simlab.ensemble.model import Ensemble as Ensemble
