//! Moments and ages as they are written in `since=`, `until=` and `ttl=`.
