"""The audit log for others: events as CloudEvents, exports."""
