"""PostgreSQL: the embedded server, the event store, the tables of the read models. All SQL lives here."""
