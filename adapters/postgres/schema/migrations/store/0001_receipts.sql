-- One row for each command that was ever carried out: ids and counts only, no personal data.
CREATE TABLE IF NOT EXISTS receipts (
    command_id uuid PRIMARY KEY,
    digest     bytea  NOT NULL,
    stream     uuid   NOT NULL,
    version    bigint NOT NULL,
    position   bigint NOT NULL,
    events     int    NOT NULL
);
