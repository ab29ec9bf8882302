-- The read model `subject_streams` (projections/subject_streams.py). Run with search_path set to the model's own schema.
CREATE TABLE subject_streams (
    stream_id uuid NOT NULL,
    subject   uuid NOT NULL                     -- the person whom events of the stream say something about
);
-- indexes
ALTER TABLE subject_streams ADD PRIMARY KEY (stream_id, subject);
CREATE INDEX subject_streams_subject ON subject_streams (subject);
