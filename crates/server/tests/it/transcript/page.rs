//! The transcripts of `docs/protocol.md`: lines that a client sends and a server answers.

/// The page that promises them.
pub(super) const DOCS: &str = include_str!("../../../../../docs/protocol.md");

/// A block of the page with a language and a title.
#[derive(Debug)]
pub(super) struct Transcript {
    pub(super) language: &'static str,
    pub(super) title: &'static str,
    lines: Vec<&'static str>,
}

/// What one side says until the other side speaks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The client.
    Sent(Vec<&'static str>),
    /// The server.
    Told(Vec<&'static str>),
}

/// Every block of the page that is a conversation.
pub(super) fn transcripts() -> Vec<Transcript> {
    let mut found = Vec::new();
    let mut open: Option<Transcript> = None;
    for line in DOCS.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(transcript), None) => transcript.lines.push(line),
            (None, Some(head)) => {
                let (language, title) = head.split_once(" title=").unwrap_or((head, ""));
                open = Some(Transcript { language, title, lines: Vec::new() });
            }
            (None, None) => {}
        }
    }
    found.retain(|block| matches!(block.language, "http" | "websocket"));
    found
}

/// The one with this title.
pub(super) fn transcript(title: &str) -> Transcript {
    transcripts().into_iter().find(|block| block.title == title).expect("the page has it")
}

impl Transcript {
    /// Who says what, in turns.
    pub(super) fn turns(&self) -> Vec<Turn> {
        let mut turns: Vec<Turn> = Vec::new();
        for line in &self.lines {
            let (marker, text) = line.split_at(1);
            let text = text.strip_prefix(' ').unwrap_or(text);
            match (marker, turns.last_mut()) {
                (">", Some(Turn::Sent(lines))) | ("<", Some(Turn::Told(lines))) => lines.push(text),
                (">", _) => turns.push(Turn::Sent(vec![text])),
                ("<", _) => turns.push(Turn::Told(vec![text])),
                _ => panic!("{}: {line}", self.title),
            }
        }
        turns
    }
}
