//! The channels of a request, from its path and its query.
