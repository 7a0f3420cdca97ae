//! Compression, from the switch in the configuration to the figures.

mod streams;
mod websocket;

/// A text of this length that can be made smaller.
fn prose(bytes: usize) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < bytes {
        text += &format!("line {number} of what says nothing new; ");
        number += 1;
    }
    text.truncate(bytes);
    text
}
