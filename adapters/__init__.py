"""How Dossier meets the world: PostgreSQL, legacy sources, the command line, export formats, the composition root."""
