"""Sample exports of the talent system, with every known oddity and the truth about them."""

from adapters.samples.talent.sample import FORMS, PLANTED, TABLES, write_sample

__all__ = ["FORMS", "PLANTED", "TABLES", "write_sample"]
