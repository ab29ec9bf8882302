"""What Dossier takes against what it could take at best, or against the library it stands on."""
