//! The envelope: a publication or a gap as one JSON object.
