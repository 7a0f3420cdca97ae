//! Keys and issuers: what is wrong with them is told where it stands, and no secret with it.

use super::read_file;
use crate::auth::grant::Right;
use crate::config::effective::Effective;
use crate::config::reference;
use crate::config::settings::{Auth, KeysAt, Machine, Mode, Settings};

const HASH: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What the tables become, or the mistakes, a line each.
fn built(text: &str) -> Result<Auth, String> {
    let text = text.replace("HASH", HASH).replace("SECRET", SECRET);
    let source = read_file(&text).map_err(|mistakes| mistakes.to_string())?;
    let effective = Effective::of(&[source]).map_err(|mistakes| mistakes.to_string())?;
    let machine = Machine { cores: 1, open_files: 10_000 };
    let settings = Settings::build(&effective, Mode::Serve, machine);
    settings.map(|settings| settings.auth).map_err(|mistakes| mistakes.to_string())
}

#[test]
fn keys_and_issuers_are_read() {
    let auth = built(
        "[keys.backend]\nhash = \"HASH\"\npublish = [\"chat:**\", \"news\"]\nmanage = \"chat:*\"\n\
         [issuers.app]\nsecret = [\"SECRET\", \"base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\n\
         [issuers.id]\nissuer = \"https://id.example/\"\naudience = \"live\"\n\
         jwks = \"https://id.example/keys?a=b\"\nalgorithms = [\"RS256\", \"EdDSA\"]\nleeway = \"0s\"\n\
         [issuers.file]\nissuer = \"file\"\njwks = \"keys.json\"\nrequire_expiry = false\n",
    )
    .unwrap();
    let [key] = &auth.keys[..] else { panic!("{auth:?}") };
    assert_eq!((key.name.as_str(), key.hash.to_string().as_str()), ("backend", HASH));
    assert!(
        key.grants.cover(Right::Publish, "chat:a:b") && key.grants.cover(Right::Manage, "chat:a")
    );
    assert!(!key.grants.give(Right::Subscribe));
    let [app, file, id] = &auth.issuers[..] else { panic!("{auth:?}") };
    assert_eq!(app.secrets, [SECRET.as_bytes().to_vec(), vec![0; 32]]);
    assert_eq!(file.jwks, Some(KeysAt::File("keys.json".into())));
    assert!(!file.require_expiry && app.require_expiry);
    assert_eq!(id.jwks, Some(KeysAt::Url("https://id.example/keys?a=b".to_owned())));
    assert_eq!((id.leeway.as_secs(), app.leeway.as_secs()), (0, 30));
    assert_eq!(id.algorithms.iter().count(), 2);
}

/// What is written, and what is told of it.
const WRONG: &[(&str, &str)] = &[
    ("[keys.k]\npublish = [\"a\"]\n", "`keys.k.hash` is no `sha256:`"),
    ("[keys.k]\nhash = \"sha256:12\"\npublish = [\"a\"]\n", "fanfare.toml:2: `keys.k.hash` is no"),
    ("[keys.k]\nhash = \"HASH\"\n", "`keys.k.hash` belongs to a key that grants nothing"),
    (
        "[keys.a]\nhash = \"HASH\"\npublish = [\"a\"]\n[keys.b]\nhash = \"HASH\"\npublish = [\"a\"]\n",
        "fanfare.toml:5: `keys.b.hash` is that of `keys.a` as well",
    ),
    (
        "[keys.k]\nhash = \"HASH\"\npublish = [\"a\"]\nmanage = [\"user:{sub}\"]\n",
        "fanfare.toml:4: `keys.k.manage` has \"user:{sub}\", and a key has no subject",
    ),
    (
        "[keys.k]\nhash = \"HASH\"\npublish = [\"{id}\"]\n",
        "`keys.k.publish` has \"{id}\"; correct the pattern: `{sub}` is the only thing",
    ),
    ("[keys.K]\nhash = \"HASH\"\n", "a key cannot be called `K`"),
    ("[keys.k]\nhsah = \"HASH\"\n", "unknown key `keys.k.hsah`; did you mean `keys.k.hash`?"),
    ("[issuers.app]\n", "`issuers.app.jwks` belongs to an issuer without any key"),
    ("[issuers.app]\nsecret = \"short\"\n", "`issuers.app.secret` has fewer than 32 bytes"),
    ("[issuers.app]\nsecret = \"base64:?\"\n", "`issuers.app.secret` is no base64"),
    (
        "[issuers.app]\nsecret = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n",
        "`issuers.app.secret` has more than 4, which is as many as a token is tried with",
    ),
    ("[issuers.app]\njwks = \"http://id.example/k\"\n", "write an `https://` URL"),
    ("[issuers.app]\njwks = \"ftp://id.example/k\"\n", "write an `https://` URL"),
    ("[issuers.app]\njwks = \"https://u:p@id.example/k\"\n", "write an `https://` URL"),
    (
        "[issuers.app]\nsecret = \"SECRET\"\nalgorithms = [\"none\"]\n",
        "`issuers.app.algorithms` is a list; write a list of `HS256`",
    ),
    ("[issuers.app]\nsecret = \"SECRET\"\nleeway = \"1h\"\n", "`issuers.app.leeway` is \"1h\""),
    (
        "[issuers.a]\nsecret = \"SECRET\"\n[issuers.b]\nsecret = \"SECRET\"\n",
        "`issuers.b.issuer` is that of `issuers.a` as well",
    ),
    ("[auth]\nusers = [\"read\"]\n", "`auth.users` is a list; write a list of `subscribe`"),
    ("keys = 1\n", "`keys` is a table; write its keys under `[keys.NAME]`"),
];

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    for (text, words) in WRONG {
        let told = built(text).expect_err(text);
        assert!(told.contains(words), "{text}\n{told}");
        assert!(!told.contains(SECRET), "{told}");
    }
}

#[test]
fn a_loopback_url_may_be_plain() {
    for url in ["http://localhost:9000/k", "http://127.0.0.1/k", "http://[::1]:1/k"] {
        assert!(built(&format!("[issuers.app]\njwks = \"{url}\"\n")).is_ok(), "{url}");
    }
}

#[test]
fn secrets_are_counted_and_not_shown() {
    let text = format!("[issuers.app]\nsecret = \"{SECRET}\"\n");
    let effective = Effective::of(&[read_file(&text).unwrap()]).unwrap();
    let shown: Vec<_> = effective.issuers["app"].iter().map(reference::assignment).collect();
    assert!(shown.contains(&"issuers.app.secret = (1 hidden)".to_owned()), "{shown:?}");
    let debugged = format!("{:?}", built(&text).unwrap());
    for told in [shown.join("\n"), debugged] {
        assert!(!told.contains(SECRET), "{told}");
    }
}
