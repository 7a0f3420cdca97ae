//! `fanfare demo`: a stranger's first look. A page that is not there, or is shown as text, ends it.

mod pages;
mod sources;
