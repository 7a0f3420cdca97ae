//! Content types (RFC 9110 §8.3), and what each makes of a body.
