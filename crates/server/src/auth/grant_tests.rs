//! A pattern covers what it says and nothing else; the matcher is held against one that tries every
//! way.

use super::{Grants, PATTERN_BYTES_MAX, Pattern, PatternError, Right, Rights};

/// Tries every run for every wildcard, over characters.
fn naive(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', '*', rest @ ..] => (0..=name.len()).any(|run| naive(rest, &name[run..])),
        ['*', rest @ ..] => (0..=name.len())
            .take_while(|run| !name[..*run].contains(&':'))
            .any(|run| naive(rest, &name[run..])),
        [literal, rest @ ..] => name.first() == Some(literal) && naive(rest, &name[1..]),
    }
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text, None).unwrap()
}

fn agree(text: &str, name: &str) {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    let expected = naive(&characters(text), &characters(name));
    assert_eq!(pattern(text).covers(name), expected, "{text:?} and {name:?}");
}

/// Every text of up to `length` of these pieces.
fn texts(pieces: &[&str], length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = 0;
    for _ in 0..length {
        let longer = all[last..]
            .iter()
            .flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}")));
        let longer: Vec<_> = longer.collect();
        last = all.len();
        all.extend(longer);
    }
    all
}

#[test]
fn every_short_pattern_agrees_with_the_naive_matcher_on_every_short_name() {
    let names = texts(&["a", "b", ":"], 5);
    for text in texts(&["a", "b", ":", "*", "**"], 5).iter().filter(|text| !text.is_empty()) {
        for name in &names {
            agree(text, name);
        }
    }
}

#[test]
fn random_patterns_agree_with_the_naive_matcher_on_random_names() {
    let mut random = fastrand::Rng::with_seed(7);
    let pieces = ["a", "a", "b", ":", ":", "é", "ab", "*", "*", "**", "room", "日"];
    let mut covered = 0;
    for _ in 0..60_000 {
        let wildcards = random.usize(0..4);
        let mut parts: Vec<&str> =
            (0..random.usize(1..9)).map(|_| pieces[random.usize(0..7)]).collect();
        // A name made from the pattern, so that many are covered, or nearly.
        let mut name: String = parts.concat();
        for _ in 0..wildcards {
            let place = random.usize(0..parts.len());
            parts[place] = pieces[random.usize(7..10)];
        }
        if random.bool() {
            name.push_str(pieces[random.usize(0..7)]);
        }
        let text = parts.concat();
        agree(&text, &name);
        covered += usize::from(pattern(&text).covers(&name));
    }
    assert!((5_000..55_000).contains(&covered), "the comparison says something: {covered}");
}

#[test]
fn a_pattern_covers_what_it_says() {
    for (text, covered, other) in [
        ("news", &["news"][..], &["new", "newsy", "news:1", "News"][..]),
        ("chat:*", &["chat:a", "chat:", "chat:é*"], &["chat", "chat:a:b", "news", "xchat:a"]),
        ("chat:**", &["chat:a", "chat:a:b", "chat:"], &["chat", "cha:t"]),
        ("*", &["a", "a.b", "*"], &["a:b"]),
        ("**", &["a", "a:b:c"], &[]),
        ("***", &["a", "a:b:c"], &[]),
        ("*:log", &["a:log", ":log"], &["a:b:log", "a:logs"]),
        ("**:log", &["a:log", "a:b:log"], &["log", "a:logs"]),
        ("a*:*b", &["ax:yb", "a:b"], &["ax:y:b", "axb"]),
    ] {
        for name in covered {
            assert!(pattern(text).covers(name), "{text} covers {name}");
        }
        for name in other {
            assert!(!pattern(text).covers(name), "{text} does not cover {name}");
        }
    }
}

#[test]
fn a_subject_is_taken_as_it_is() {
    for (text, subject, covered, other) in [
        (
            "user:{sub}:**",
            "ada",
            &["user:ada:", "user:ada:a:b"][..],
            &["user:bob:a", "user:ada"][..],
        ),
        ("{sub}", "ada", &["ada"], &["{sub}", "adam"]),
        ("{sub}-{sub}", "a", &["a-a"], &["a-b"]),
        ("user:{sub}", "*", &["user:*"], &["user:ada"]),
        ("user:{sub}:*", "**", &["user:**:a"], &["user:ada:a", "user:a:b"]),
        ("user:{sub}", "{sub}", &["user:{sub}"], &["user:ada"]),
        ("user:{sub}", "}", &["user:}"], &["user:"]),
        // These would be at home in the channels of others, or of nobody.
        ("user:{sub}:**", "", &[], &["user::a", "user:{sub}:a"]),
        ("user:{sub}:**", "ada:inbox", &[], &["user:ada:inbox:1", "user:ada:inbox:"]),
    ] {
        let pattern = Pattern::new(text, Some(subject)).unwrap();
        for name in covered {
            assert!(pattern.covers(name), "{text} of {subject} covers {name}");
        }
        for name in other {
            assert!(!pattern.covers(name), "{text} of {subject} does not cover {name}");
        }
    }
    let nobody = pattern("user:{sub}:**");
    assert!(nobody.is_vain() && !nobody.covers("user::a"));
    let grants = Grants::default().with(Right::Publish, vec![nobody]);
    assert!(!grants.give(Right::Publish));
}

#[test]
fn what_is_no_pattern_says_why() {
    let long = "a".repeat(PATTERN_BYTES_MAX + 1);
    for (text, error) in [
        ("", PatternError::Empty),
        (&long, PatternError::TooLong),
        ("{user}", PatternError::Brace),
        ("a{sub", PatternError::Brace),
        ("sub}", PatternError::Brace),
        ("{sub}}", PatternError::Brace),
    ] {
        assert_eq!(Pattern::new(text, Some("ada")), Err(error), "{text:?}");
    }
    let subject = "a".repeat(PATTERN_BYTES_MAX);
    let endless = Pattern::new(&"{sub}".repeat(100), Some(&subject)).unwrap();
    assert!(endless.is_vain(), "no name is so long");
}

#[test]
fn rights_have_names_and_are_told_apart() {
    let some: Rights = [Right::Presence, Right::Subscribe].into_iter().collect();
    for right in Right::ALL {
        assert_eq!(Right::of(right.name()), Some(right));
        assert_eq!(some.has(right), matches!(right, Right::Presence | Right::Subscribe));
        assert!(Grants::everything().cover(right, "a:b"));
        assert!(!Grants::default().cover(right, "a:b"));
    }
    assert_eq!(Right::of("read"), None);
}
