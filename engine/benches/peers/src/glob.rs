//! Names of rows, with `*` for anything.

/// Whether `name` is one that `pattern` means.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|end| matches(rest, &name[end..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything_and_for_nothing() {
        assert!(matches("*", "") && matches("*", "a") && matches("a*", "a") && matches("*/re*", "large/read"));
        assert!(!matches("a*", "b") && !matches("*a", "ab") && !matches("a", "ab") && !matches("", "a"));
    }
}
