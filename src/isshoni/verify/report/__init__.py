"""The report of a run: one HTML file that needs nothing else."""

from isshoni.verify.report.render import render_report as render_report
