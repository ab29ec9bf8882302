"""The legacy systems, one file each, written for someone who knows the system and not our code."""
