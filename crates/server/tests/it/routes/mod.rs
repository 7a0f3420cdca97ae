//! Routes: paths of a user's own, which are exactly the URLs that they stand for.

mod asking;
mod greeting;
mod posting;

use crate::server::Server;

/// What the tests of this folder ask through.
const ROUTES: &str = "
[routes]
\"/events\" = \"/c/clock?since=last\"
\"/api/v1.0/prices\" = \"/c/prices?as=envelope\"
\"/own\" = \"/c/own-{unique}?since=all\"
\"/socket\" = { to = \"/c/echo-{unique}?since=all\", greeting = \"Hello Client!\" }
\"/lobby\" = { to = \"/c/lobby?since=all\", greeting = \"somebody comes\" }
\"/quiet\" = { to = \"/c/quiet:a?since=all\", greeting = \"hush\" }
\"/answer\" = { to = \"/c/answer?since=all&open=0\", post = \"read\" }
[namespaces.quiet]
presence = false
";

fn server() -> Server {
    Server::configured("dev", ROUTES)
}
