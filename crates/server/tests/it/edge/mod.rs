//! What the edge serves: kept connections that become streams, polls, large and strange bodies.

mod leaving;
mod publishing;
mod reading;
mod refusing;
