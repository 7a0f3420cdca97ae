//! What credentials grant: rights, each over the channels whose names match a pattern.
//!
//! In a pattern `*` stands for any run without `:`, `**` for any run at all, `{sub}` for the token's
//! subject, and everything else for itself. It knows names as texts, and nothing of who asks.

use std::fmt;

use thiserror::Error;

/// Something that can be done with a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Reading it, from the past on as well.
    Subscribe,
    /// Publishing to it.
    Publish,
    /// Listing who reads it, and being told who comes and goes.
    Presence,
    /// Asking for pages of its history.
    History,
    /// Removing it and, with [`Self::Publish`], ending it.
    Manage,
}

impl Right {
    /// Every right.
    pub(crate) const ALL: [Self; 5] =
        [Self::Subscribe, Self::Publish, Self::Presence, Self::History, Self::Manage];

    /// What it is called in tokens and in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Presence => "presence",
            Self::History => "history",
            Self::Manage => "manage",
        }
    }

    /// The right that is called this.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|right| right.name() == name)
    }
}

/// Some of the rights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rights(u8);

impl Rights {
    /// Whether a right is among them.
    pub(crate) fn has(self, right: Right) -> bool {
        self.0 & 1 << right as u8 != 0
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<T: IntoIterator<Item = Right>>(rights: T) -> Self {
        Self(rights.into_iter().fold(0, |some, right| some | 1 << right as u8))
    }
}

/// Bytes of a pattern at most.
pub(crate) const PATTERN_BYTES_MAX: usize = 1024;

/// Patterns of one credential at most, all rights together.
pub(crate) const PATTERNS_MAX: usize = 256;

/// What a credential grants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Grants {
    patterns: [Box<[Pattern]>; Right::ALL.len()],
}

impl Grants {
    /// Every right over every channel.
    pub(crate) fn everything() -> Self {
        let all = Pattern { text: "**".into(), shape: Shape::Prefix("".into(), Run::Deep) };
        Self { patterns: Right::ALL.map(|_| Box::from([all.clone()])) }
    }

    /// The same with a right over the channels of these patterns.
    pub(crate) fn with(mut self, right: Right, patterns: Vec<Pattern>) -> Self {
        self.patterns[right as usize] = patterns.into();
        self
    }

    /// Whether they give a right over a channel.
    pub(crate) fn cover(&self, right: Right, channel: &str) -> bool {
        self.patterns(right).iter().any(|pattern| pattern.covers(channel))
    }

    /// Whether there could be a channel that they give a right over.
    pub(crate) fn give(&self, right: Right) -> bool {
        self.patterns(right).iter().any(|pattern| !pattern.is_vain())
    }

    /// Whether they are the same for every subject.
    pub(crate) fn are_common(&self) -> bool {
        self.patterns.iter().flatten().all(|pattern| !pattern.text.contains(SUBJECT))
    }

    /// The patterns of a right.
    pub(crate) fn patterns(&self, right: Right) -> &[Pattern] {
        &self.patterns[right as usize]
    }
}

/// Names of channels, by what they look like.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pattern {
    /// As it was written, for people.
    text: Box<str>,
    shape: Shape,
}

/// A pattern read; the commonest have shapes of their own because they are compared at once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Shape {
    /// One name.
    Name(Box<str>),
    /// What begins so and goes on with a run.
    Prefix(Box<str>, Run),
    /// Anything else.
    Mixed(Box<[Token]>),
    /// No name: it asks for a subject, and there is none that could stand in it.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Token {
    Byte(u8),
    Run(Run),
}

/// What a wildcard stands for; the empty run, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Run {
    /// `*`: no `:` in it.
    Segment,
    /// `**`.
    Deep,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum PatternError {
    /// It has no bytes.
    #[error("a pattern has at least one byte")]
    Empty,
    /// It is longer than [`PATTERN_BYTES_MAX`].
    #[error("a pattern has at most 1024 bytes")]
    TooLong,
    /// A brace that does not belong to `{{sub}}`.
    #[error("`{{sub}}` is the only thing that stands in braces")]
    Brace,
}

impl Pattern {
    /// Reads a pattern of a credential with this subject. A subject is taken as it is, whatever
    /// characters it has; but one that is empty or has a `:` would be at home in the channels of
    /// others, so that a pattern that asks for it covers nothing.
    ///
    /// # Errors
    /// [`PatternError`] names the rule that it breaks.
    pub(crate) fn new(text: &str, subject: Option<&str>) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong);
        }
        let subject = subject.filter(|subject| !subject.is_empty() && !subject.contains(':'));
        let mut tokens = Vec::with_capacity(text.len());
        let mut rest = text;
        let mut is_vain = false;
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix("**") {
                tokens.push(Token::Run(Run::Deep));
                // More of them stand for nothing else.
                rest = behind.trim_start_matches('*');
            } else if let Some(behind) = rest.strip_prefix('*') {
                tokens.push(Token::Run(Run::Segment));
                rest = behind;
            } else if let Some(behind) = rest.strip_prefix(SUBJECT) {
                tokens.extend(subject.unwrap_or_default().bytes().map(Token::Byte));
                is_vain |= subject.is_none() || tokens.len() > PATTERN_BYTES_MAX;
                tokens.truncate(PATTERN_BYTES_MAX);
                rest = behind;
            } else {
                let end = rest.find(['*', '{', '}']).unwrap_or(rest.len());
                let (plain, behind) = rest.split_at(end);
                if plain.is_empty() {
                    return Err(PatternError::Brace);
                }
                tokens.extend(plain.bytes().map(Token::Byte));
                rest = behind;
            }
        }
        let shape = if is_vain { Shape::Nothing } else { Shape::of(tokens) };
        Ok(Self { text: text.into(), shape })
    }

    /// Whether a channel of this name is one of them.
    pub(crate) fn covers(&self, channel: &str) -> bool {
        match &self.shape {
            Shape::Name(name) => **name == *channel,
            Shape::Prefix(prefix, run) => channel
                .strip_prefix(&**prefix)
                .is_some_and(|rest| *run == Run::Deep || !rest.contains(':')),
            Shape::Mixed(tokens) => matches(tokens, channel.as_bytes()),
            Shape::Nothing => false,
        }
    }

    /// Whether it covers nothing, because it asks for a subject and there is none that could stand
    /// in it.
    pub(crate) fn is_vain(&self) -> bool {
        self.shape == Shape::Nothing
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl Shape {
    fn of(tokens: Vec<Token>) -> Self {
        let runs = tokens.iter().filter(|token| matches!(token, Token::Run(_))).count();
        let literal = tokens.iter().filter_map(|token| match token {
            Token::Byte(byte) => Some(*byte),
            Token::Run(_) => None,
        });
        let literal = || String::from_utf8(literal.clone().collect()).ok().map(Box::from);
        let shape = match (runs, tokens.last()) {
            (0, _) => literal().map(Self::Name),
            (1, Some(Token::Run(run))) => literal().map(|prefix| Self::Prefix(prefix, *run)),
            _ => None,
        };
        shape.unwrap_or_else(|| Self::Mixed(tokens.into()))
    }
}

/// Whether a name is what the tokens stand for. Of the wildcards met so far only the last one is
/// made longer, and the last `**` when that cannot be: a run that begins where the one before it
/// could first end leaves the most to what follows.
fn matches(tokens: &[Token], name: &[u8]) -> bool {
    let (mut token, mut byte) = (0, 0);
    // What follows the wildcard, and where its run ends for now.
    let mut segment: Option<(usize, usize)> = None;
    let mut deep: Option<(usize, usize)> = None;
    loop {
        match tokens.get(token) {
            Some(Token::Byte(wanted)) if name.get(byte) == Some(wanted) => {
                token += 1;
                byte += 1;
                continue;
            }
            Some(Token::Run(Run::Segment)) => {
                token += 1;
                segment = Some((token, byte));
                continue;
            }
            Some(Token::Run(Run::Deep)) => {
                token += 1;
                deep = Some((token, byte));
                segment = None;
                continue;
            }
            None if byte == name.len() => return true,
            _ => {}
        }
        if let Some((behind, end)) = segment
            && name.get(end).is_some_and(|byte| *byte != b':')
        {
            (token, byte) = (behind, end + 1);
            segment = Some((behind, end + 1));
        } else if let Some((behind, end)) = deep
            && end < name.len()
        {
            (token, byte) = (behind, end + 1);
            deep = Some((behind, end + 1));
            segment = None;
        } else {
            return false;
        }
    }
}

/// What stands in a pattern for the subject.
const SUBJECT: &str = "{sub}";

#[cfg(test)]
#[path = "grant_tests.rs"]
mod tests;
