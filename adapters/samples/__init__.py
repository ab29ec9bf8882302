"""Generators of realistic legacy exports with their truth; they share no code with the mappings they test."""
