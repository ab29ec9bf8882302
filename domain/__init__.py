"""What happens: aggregates as pure deciders, commands, events, roles, vocabularies and errors."""
