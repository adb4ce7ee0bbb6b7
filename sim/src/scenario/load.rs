//! YAML text to a tree, and the line of a path: the only file that knows the YAML library.
//!
//! The library tells positions in its errors and nowhere else. That is enough: to find the line of a path, the text is
//! read once more by a visitor that walks down the path and fails where it ends, and the position of that failure is the
//! answer. It is right for block style, flow style, comments and multi-line strings alike, because the library's own
//! parser found it. It costs one more parse per error and nothing per file that is right.
//!
//! Anchors and aliases are read as copies (the library bounds how far they multiply); tags are refused.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::errors::Flaw;
use super::path::FieldPath;
use super::tree::{Node, Note};

/// A flaw, its place, and its line where one is known.
pub(super) type PlacedFlaw = (Option<usize>, FieldPath, Flaw);

/// Reads the text as one YAML document.
pub(super) fn tree(text: &str) -> Result<Node, Box<PlacedFlaw>> {
    let refused = RefCell::new(None);
    let seed = NodeSeed { path: FieldPath::root(), refused: &refused };
    let error = match seed.deserialize(serde_yaml::Deserializer::from_str(text)) {
        Ok(Node::Null) => return Err(Box::new((None, FieldPath::root(), Flaw::Empty))),
        Ok(node) => return Ok(node),
        Err(error) => error,
    };
    let line = error.location().map(|location| location.line());
    if let Some((path, flaw)) = refused.into_inner() {
        return Err(Box::new((line, path, flaw)));
    }
    let message = error.to_string();
    if message.starts_with("EOF") {
        return Err(Box::new((None, FieldPath::root(), Flaw::Empty)));
    }
    let source = line.and_then(|line| text.lines().nth(line.saturating_sub(1)));
    if source.is_some_and(|source| source.contains(": >=")) {
        return Err(Box::new((line, FieldPath::root(), Flaw::ComparisonUnquoted)));
    }
    // The position stands before the message already.
    let message = message.split(" at line ").next().unwrap_or_default().to_string();
    Err(Box::new((line, FieldPath::root(), Flaw::Syntax { message })))
}

/// The line, from 1, on which the key or list item at `path` stands; where there is none (a missing field), the line of
/// what is around it. `None` for the whole file.
pub(super) fn line_of(text: &str, path: &FieldPath) -> Option<usize> {
    let mut target = path.clone();
    while !target.is_root() {
        let finder = Finder { target: &target, here: FieldPath::root() };
        if let Err(error) = finder.deserialize(serde_yaml::Deserializer::from_str(text)) {
            return error.location().map(|location| location.line());
        }
        target = target.parent()?;
    }
    None
}

/// Builds a [`Node`]; a flaw that only the tree can see (a key twice, a tag) is left in `refused`.
struct NodeSeed<'a> {
    path: FieldPath,
    refused: &'a RefCell<Option<Note>>,
}

impl NodeSeed<'_> {
    fn refuse<E: de::Error>(&self, path: FieldPath, flaw: Flaw) -> E {
        self.refused.borrow_mut().get_or_insert((path, flaw));
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    /// A document without content.
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    /// The shortest decimal that is this number: what was written, as far as a scenario's numbers go.
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        let seed = |index| NodeSeed { path: self.path.index(index), refused: self.refused };
        while let Some(item) = access.next_element_seed(seed(items.len()))? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some(key) = access.next_key_seed(KeySeed { map: &self, seen: &seen })? {
            let path = self.path.key(&key);
            entries.push((key.clone(), access.next_value_seed(NodeSeed { path, refused: self.refused })?));
            seen.insert(key);
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: de::EnumAccess<'de>>(self, _access: A) -> Result<Node, A::Error> {
        Err(self.refuse(self.path.clone(), Flaw::Tagged))
    }
}

/// Reads a key, and fails on it (so that the failure has the key's position) when it is no word or was seen before.
struct KeySeed<'a, 'n> {
    map: &'a NodeSeed<'n>,
    seen: &'a BTreeSet<String>,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_, '_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key that is a word")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        if self.seen.contains(key) {
            return Err(self.map.refuse(self.map.path.key(key), Flaw::DuplicateKey { key: key.to_string() }));
        }
        Ok(key.to_string())
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        Err(self.map.refuse(self.map.path.clone(), Flaw::KeyIsNoWord))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<String, E> {
        self.visit_unit()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<String, E> {
        self.visit_unit()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<String, E> {
        self.visit_unit()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<String, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.visit_unit()
    }
}

/// Walks towards `target` and fails on arrival; `Ok` when there is no such place.
struct Finder<'a> {
    target: &'a FieldPath,
    here: FieldPath,
}

impl Finder<'_> {
    fn arrived<E: de::Error>(&self) -> Result<(), E> {
        if self.here == *self.target { Err(E::custom("here")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Finder<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.here.contains(self.target) {
            deserializer.deserialize_any(self)
        } else {
            deserializer.deserialize_ignored_any(IgnoredAny).map(|_| ())
        }
    }
}

impl<'de> Visitor<'de> for Finder<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.arrived()
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        self.arrived()
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        self.arrived()
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        self.arrived()
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<(), E> {
        self.arrived()
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<(), E> {
        self.arrived()
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.arrived()
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        self.arrived()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        self.arrived()?;
        let seed = |index| Finder { target: self.target, here: self.here.index(index) };
        let mut index = 0;
        while access.next_element_seed(seed(index))?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        self.arrived()?;
        while let Some(key) = access.next_key_seed(KeyFinder { map: &self })? {
            access.next_value_seed(Finder { target: self.target, here: self.here.key(&key) })?;
        }
        Ok(())
    }
}

/// Reads a key, and fails on it when it is the target: a field stands where its key stands.
struct KeyFinder<'a, 'f> {
    map: &'a Finder<'f>,
}

impl<'de> DeserializeSeed<'de> for KeyFinder<'_, '_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeyFinder<'_, '_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key that is a word")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        if self.map.here.key(key) == *self.map.target {
            return Err(E::custom("here"));
        }
        Ok(key.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, path: &str) -> Option<usize> {
        line_of(text, &FieldPath::from_text(path.to_string()))
    }

    #[test]
    fn lines_are_found_in_block_style_flow_style_and_behind_multi_line_text() {
        let text = "# comment: { name: no }\nname: |\n  faults:\n  - not these\nfaults:\n  - at: 5s\n    partition: [[n1],\n      [n2,\n       n9]]\n  - { at: 1s,\n      crash: { node: n1, # node\n        power: lost } }\nabout: >-\n  two\n  lines\n";
        assert_eq!(line(text, "name"), Some(2));
        assert_eq!(line(text, "faults"), Some(5));
        assert_eq!(line(text, "faults[0]"), Some(6));
        assert_eq!(line(text, "faults[0].partition"), Some(7));
        assert_eq!(line(text, "faults[0].partition[1]"), Some(8));
        assert_eq!(line(text, "faults[0].partition[1][1]"), Some(9));
        assert_eq!(line(text, "faults[1]"), Some(10));
        assert_eq!(line(text, "faults[1].crash.power"), Some(12));
        assert_eq!(line(text, "about"), Some(13));
    }

    #[test]
    fn a_missing_field_stands_on_the_line_of_what_is_around_it() {
        let text = "name: x\ncluster:\n  nodes: 3\n";
        assert_eq!(line(text, "cluster.replication"), Some(2));
        assert_eq!(line(text, "workload.rate"), None);
        assert_eq!(line(text, ""), None);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_where_it_stands_again() {
        let (line, path, flaw) = *tree("name: x\ncluster:\n  nodes: 3\n  seed: 1\n  nodes: 5\n").expect_err("refused");
        assert_eq!((line, path.to_string().as_str()), (Some(5), "cluster.nodes"));
        assert_eq!(flaw, Flaw::DuplicateKey { key: "nodes".into() });
    }

    #[test]
    fn what_is_not_yaml_is_refused_with_the_line_and_what_is_empty_is_called_empty() {
        let (line, _, flaw) = *tree("name: x\nfaults: [1, 2\nabout: y\n").expect_err("refused");
        assert_eq!(line, Some(3));
        assert!(matches!(flaw, Flaw::Syntax { message } if !message.contains("at line 3")));
        for empty in ["", "\n\n", "# only a comment\n", "---\n", "~\n"] {
            assert_eq!(tree(empty).expect_err("refused").2, Flaw::Empty, "{empty:?}");
        }
    }

    #[test]
    fn tags_and_keys_that_are_no_words_are_refused() {
        assert_eq!(tree("name: !secret x\n").expect_err("refused").2, Flaw::Tagged);
        for key in ["1", "true", "~", "[a]", "{a: b}", "1.5"] {
            assert_eq!(tree(&format!("name: x\n? {key}\n: y\n")).expect_err("refused").2, Flaw::KeyIsNoWord, "{key}");
        }
    }
}
