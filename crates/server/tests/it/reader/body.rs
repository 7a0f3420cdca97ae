//! The body of a stream as lines, whatever frames it.

use super::incoming::{Broken, Incoming};
use super::item::Ending;

/// A body that is read as it comes.
#[derive(Debug)]
pub(crate) struct Body {
    incoming: Incoming,
    framing: Framing,
    plain: Vec<u8>,
    at: usize,
}

/// What says where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Its last chunk.
    Chunked,
    /// The end of the connection: HTTP/1.0.
    Bare,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, framing: Framing) -> Self {
        Self { incoming, framing, plain: Vec::new(), at: 0 }
    }

    pub(crate) fn incoming(&mut self) -> &mut Incoming {
        &mut self.incoming
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> Result<Vec<u8>, Ending> {
        if self.framing == Framing::Bare {
            return self.incoming.line().map_err(|Broken| Ending::Cut);
        }
        let mut searched = self.at;
        loop {
            if let Some(found) = self.plain[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + found;
                let line = self.plain[self.at..end].to_vec();
                self.at = end + 1;
                return Ok(line);
            }
            let waiting = self.plain.len() - self.at;
            self.plain.drain(..self.at);
            self.at = 0;
            searched = waiting;
            match self.chunk() {
                Ok(chunk) if chunk.is_empty() => return Err(Ending::Whole),
                Ok(chunk) => self.plain.extend_from_slice(&chunk),
                Err(Broken) => return Err(Ending::Cut),
            }
        }
    }

    fn chunk(&mut self) -> Result<Vec<u8>, Broken> {
        let size = String::from_utf8(self.incoming.line()?).unwrap();
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("chunk {size:?}"));
        let chunk = self.incoming.take(size)?;
        assert_eq!(self.incoming.take(2)?, b"\r\n");
        Ok(chunk)
    }
}
