"""What it looks like now: read models as pure folds, and the follow and rebuild loops over ports."""
