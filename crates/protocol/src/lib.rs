//! The sans-I/O codecs of Fanfare.
