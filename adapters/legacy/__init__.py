"""Legacy sources: exports as they come, made readable line by line."""
