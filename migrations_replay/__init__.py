"""How the past gets in: bundles, one file per legacy system, replay and reconcile."""
