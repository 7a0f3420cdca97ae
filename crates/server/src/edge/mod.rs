//! The edge: everything that a shard does not answer itself, on tokio and hyper.

mod pace;
mod rewound;
