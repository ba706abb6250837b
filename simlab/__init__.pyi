"""What `import simlab as sl` offers: a name is loaded when it is first used."""

from simlab import datasets as datasets
from simlab import ensemble as ensemble
from simlab import evaluation as evaluation
from simlab import images as images
from simlab import methods as methods
from simlab import moving as moving
from simlab import pairs as pairs
from simlab import perturb as perturb
from simlab import plots as plots
from simlab import report as report
from simlab import scoring as scoring
from simlab import search as search
from simlab import specs as specs
from simlab import tables as tables
from simlab import widgets as widgets
from simlab.ensemble import Ensemble as Ensemble
from simlab.evaluation import choose_threshold as choose_threshold
from simlab.evaluation import compare as compare
from simlab.evaluation import evaluate as evaluate
from simlab.images import ImageError as ImageError
from simlab.images import list_images as list_images
from simlab.images import read_image as read_image
from simlab.methods import akaze as akaze
from simlab.methods import hashes as hashes
from simlab.methods import keypoints as keypoints
from simlab.methods.overlap import overlap as overlap
from simlab.moving import make_plan as make_plan
from simlab.pairs import labelling as labelling
from simlab.pairs import make_pairs as make_pairs
from simlab.pairs.labels import read_distances as read_distances
from simlab.pairs.labels import read_pairs as read_pairs
from simlab.scoring import audit as audit
from simlab.scoring import cache as cache
from simlab.scoring import comparison as comparison
from simlab.scoring import distances as distances
from simlab.scoring import features as features
from simlab.scoring import score_designs as score_designs
from simlab.scoring import score_pairs as score_pairs
from simlab.scoring.audit import audit_sources as audit_sources
from simlab.search import Gallery as Gallery
from simlab.search import find_copies as find_copies
from simlab.search import find_leaks as find_leaks
from simlab.search import group as group
from simlab.search import grouping as grouping

__version__: str
