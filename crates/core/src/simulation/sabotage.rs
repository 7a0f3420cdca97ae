//! Mistakes that the simulation has to find. Each is switched on for one test's thread only,
//! and exists in test builds only.

use std::cell::Cell;

/// A mistake that was made on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// A shard gives up a channel whose owner is still attaching another reader for it.
    AttachOrder,
    /// Readers attach at what is assigned, not at what is committed.
    CommittedHead,
    /// A forgotten channel leaves no mark.
    ForgottenMark,
    /// Whoever goes before the owner has answered its attach stays a member.
    Ghost,
    /// A member has gone as soon as its last connection has.
    NoGrace,
    /// A channel is vacated with its last reader, whoever of its members may come back.
    VacatedEarly,
    /// A reader that has gone still counts as one.
    Lodger,
    /// A reader that was behind is not told that it has missed who came and went.
    MissedNews,
    /// A conflating feed keeps what a newer publication of the same key has superseded.
    Superseded,
    /// A reader that was full is visited at once, not at its feed's next moment.
    BetweenMoments,
}

thread_local! {
    static MISTAKE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Whether this mistake is made on this thread.
pub(crate) fn makes(mistake: Mistake) -> bool {
    MISTAKE.get() == Some(mistake)
}

/// Makes a mistake while `run` runs.
pub(super) fn with<T>(mistake: Mistake, run: impl FnOnce() -> T) -> T {
    MISTAKE.set(Some(mistake));
    let result = run();
    MISTAKE.set(None);
    result
}
