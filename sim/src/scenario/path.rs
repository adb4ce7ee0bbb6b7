//! Where a value stands in a scenario file: `faults[0].partition[1]`, the name by which errors speak of it.
//!
//! A path is text and nothing else: the loader finds the line of a path by walking the file and comparing names, so that
//! no value has to carry its line.

use std::fmt;

/// The name of one place in a file; empty for the whole of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FieldPath(String);

impl FieldPath {
    /// The whole file.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path as written by `Display`.
    pub(super) fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The value of `key` in the map at this place.
    pub fn key(&self, key: &str) -> Self {
        Self(if self.0.is_empty() { key.to_string() } else { format!("{}.{key}", self.0) })
    }

    /// The item at `index`, counted from 0, of the list at this place.
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    /// True for the whole file.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// True when `other` is this place or lies inside of it.
    pub(super) fn contains(&self, other: &FieldPath) -> bool {
        match other.0.strip_prefix(self.0.as_str()) {
            None => false,
            Some(rest) => self.is_root() || rest.is_empty() || rest.starts_with(['.', '[']),
        }
    }

    /// The place around this one; `None` for the whole file.
    pub(super) fn parent(&self) -> Option<FieldPath> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rfind(['.', '[']).map_or_else(String::new, |end| self.0[..end].to_string())))
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_contains_what_lies_inside_and_nothing_that_only_begins_alike() {
        let faults = FieldPath::root().key("faults");
        let partition = faults.index(0).key("partition");
        assert_eq!(partition.to_string(), "faults[0].partition");
        assert!(
            FieldPath::root().contains(&partition) && faults.contains(&partition) && partition.contains(&partition)
        );
        assert!(!partition.contains(&faults));
        assert!(!faults.index(0).key("part").contains(&partition));
        assert!(!faults.index(1).contains(&faults.index(10)));
    }

    #[test]
    fn the_parent_of_a_path_is_the_map_or_list_around_it() {
        let item = FieldPath::root().key("faults").index(3);
        assert_eq!(item.key("at").parent(), Some(item.clone()));
        assert_eq!(item.parent(), Some(FieldPath::root().key("faults")));
        assert_eq!(FieldPath::root().key("faults").parent(), Some(FieldPath::root()));
        assert_eq!(FieldPath::root().parent(), None);
    }
}
