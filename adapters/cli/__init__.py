"""The command line: a module for each group of commands; `output.py` prints, `main.py` puts them together."""
