"""`make demo`: the main job from start to end, on the embedded PostgreSQL, repeatable."""
