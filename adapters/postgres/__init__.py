"""PostgreSQL: the embedded server, the event store and the read store. All SQL lives here, in `schema/` and `.sql` files."""
