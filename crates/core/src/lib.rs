//! The hub of Fanfare as a pure state machine.
