"""What this room offers: a search draws nothing, and should not wait for what draws."""

from simlab.report import drift as drift
from simlab.report import files as files
from simlab.report import fit_page as fit_page
from simlab.report import leaks_page as leaks_page
from simlab.report import page as page
from simlab.report import review as review
from simlab.report import search_page as search_page
from simlab.report import sentences as sentences
from simlab.report import study_page as study_page
from simlab.report import study_sections as study_sections
from simlab.report.drift import verify as verify
from simlab.report.files import versions as versions
from simlab.report.files import whole as whole
from simlab.report.files import write_csv as write_csv
from simlab.report.fit_page import tuned as tuned
from simlab.report.leaks_page import leaks as leaks
from simlab.report.page import Figure as Figure
from simlab.report.page import Section as Section
from simlab.report.page import next_steps as next_steps
from simlab.report.page import write_report as write_report
from simlab.report.search_page import answer as answer
from simlab.report.search_page import found as found
from simlab.report.study_page import study as study
