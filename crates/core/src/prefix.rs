//! Values by prefix: a name has the value of the longest prefix that it begins with.

/// Values by prefix. A look-up compares the name with about as many prefixes as their number has
/// binary digits, and allocates nothing, so that it may be done for every request.
#[derive(Debug, Clone)]
pub struct Prefixes<T> {
    /// In the order of their prefixes.
    entries: Box<[Entry<T>]>,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    prefix: Box<str>,
    /// The place of the longest other prefix that this one begins with.
    shorter: Option<usize>,
    value: T,
}

impl<T> Prefixes<T> {
    /// These values; of two with one prefix the later counts.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = (Box<str>, T)>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(|(left, _), (right, _)| left.cmp(right));
        let mut entries: Vec<Entry<T>> = Vec::with_capacity(values.len());
        for (prefix, value) in values {
            // What it begins with comes before it, and what lies between begins with that as well.
            let mut shorter = entries.len().checked_sub(1);
            while let Some(entry) = shorter.and_then(|place| entries.get(place)) {
                if prefix.starts_with(&*entry.prefix) {
                    break;
                }
                shorter = entry.shorter;
            }
            entries.push(Entry { prefix, shorter, value });
        }
        Self { entries: entries.into() }
    }

    /// The value of a name; none if it begins with no prefix.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&T> {
        let behind = self.entries.partition_point(|entry| &*entry.prefix <= name);
        let mut place = behind.checked_sub(1);
        while let Some(entry) = place.and_then(|place| self.entries.get(place)) {
            if name.starts_with(&*entry.prefix) {
                return Some(&entry.value);
            }
            place = entry.shorter;
        }
        None
    }

    /// Every value.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|entry| &entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::Prefixes;

    #[test]
    fn the_longest_prefix_counts() {
        let prefixes = ["chat:", "chat:room:", "c", "chat:room:9:x", "d:", "", "é", "chat:b"];
        for count in 0..=prefixes.len() {
            let prefixes = &prefixes[..count];
            let map = Prefixes::new(prefixes.iter().map(|prefix| (Box::from(*prefix), *prefix)));
            for name in [
                "",
                "a",
                "c",
                "ch",
                "chat",
                "chat:",
                "chat:1",
                "chat:a",
                "chat:ba",
                "chat:room",
                "chat:room:",
                "chat:room:9:",
                "chat:room:9:x",
                "chat:room:9:xy",
                "chat:room:9:z",
                "chat:z",
                "d",
                "d:",
                "d:1",
                "zebra",
                "é",
                "éa",
                "\u{10ffff}",
            ] {
                let expected = prefixes
                    .iter()
                    .filter(|prefix| name.starts_with(**prefix))
                    .max_by_key(|prefix| prefix.len());
                assert_eq!(map.of(name), expected, "{name:?} among {prefixes:?}");
            }
            assert_eq!(map.values().count(), count);
        }
    }

    #[test]
    fn of_two_with_one_prefix_the_later_counts() {
        let map = Prefixes::new([("a".into(), 1), ("a".into(), 2)]);
        assert_eq!(map.of("ab"), Some(&2));
    }
}
