"""Sample exports of the caregivers system."""

from adapters.samples.caregivers.sample import TABLES, write_sample

__all__ = ["TABLES", "write_sample"]
