"""Make a release: one version in every place, CHANGELOG section, packages, commit, tag."""
