//! One item of a batch or of a `publish` command: JSON members to drafts.
