"""The report that every rollout ends with, as HTML and as JSON."""

from isshoni.engine.rollout_report.writer import ReportWriter as ReportWriter
