//! The file as a tree of maps, lists and scalars, and how serde reads types out of it while collecting what is wrong.
//!
//! serde stops at the first error and tells it as a sentence. An author wants all of them, with places. So types are read
//! from this tree rather than from the YAML text: a key that a struct does not know is noted and skipped, a value of the
//! wrong shape is noted and read as an empty one. The reading therefore always finishes, and whoever asked looks at the
//! notes before using the result.
//!
//! ```text
//!   what a type asks for     what the tree gives
//!   struct                   a map; the struct's own field list is the list of valid keys
//!   Option                   absent where the value is missing or null
//!   enum                     the variant named after the shape: `text`, `map` or `list` (so `latency: 1ms` and
//!                            `latency: { median: 1ms, p99: 5ms }` are one type)
//!   tuple struct of two      a scalar: its text, and its path (this is how values know where they stand)
//! ```
//!
//! What it does not do: units, names, sense. Those are validation's.

use std::cell::RefCell;

use serde::Deserialize;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::errors::{Flaw, nearest};
use super::path::FieldPath;

/// One value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// `~`, `null`, or nothing after the colon.
    Null,
    /// Text, number or truth value, as text.
    Scalar(String),
    /// In order.
    List(Vec<Node>),
    /// In order; no key twice.
    Map(Vec<(String, Node)>),
}

/// A place and what is wrong there.
pub(super) type Note = (FieldPath, Flaw);

/// Reads a `T` out of the tree. `Ok` even where notes were taken: the value then has holes.
pub(super) fn read<'de, T: Deserialize<'de>>(tree: &Node) -> Result<T, Vec<Note>> {
    let notes = RefCell::new(Vec::new());
    let read = T::deserialize(Reader { node: tree, path: FieldPath::root(), notes: &notes });
    let mut notes = notes.into_inner();
    match read {
        Ok(value) if notes.is_empty() => Ok(value),
        Ok(_) => Err(notes),
        Err(ShapeError(message)) => {
            notes.push((FieldPath::root(), Flaw::Unshaped { message }));
            Err(notes)
        }
    }
}

/// What serde says where a type refuses what the tree gave.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct ShapeError(String);

impl de::Error for ShapeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A place in the tree, being read.
struct Reader<'a> {
    node: &'a Node,
    path: FieldPath,
    notes: &'a RefCell<Vec<Note>>,
}

impl<'a> Reader<'a> {
    fn note(&self, path: FieldPath, flaw: Flaw) {
        self.notes.borrow_mut().push((path, flaw));
    }

    fn note_shape(&self, expected: &str) {
        self.note(self.path.clone(), Flaw::WrongShape { expected: expected.to_string(), found: self.node.described() });
    }

    fn at(&self, node: &'a Node, path: FieldPath) -> Reader<'a> {
        Reader { node, path, notes: self.notes }
    }

    /// The entries whose keys are `fields`; the others are noted.
    fn known_entries(&self, entries: &'a [(String, Node)], fields: &[&'static str]) -> Vec<&'a (String, Node)> {
        let (known, unknown): (Vec<_>, Vec<_>) = entries.iter().partition(|(key, _)| fields.contains(&key.as_str()));
        for (key, _) in unknown {
            let flaw = Flaw::UnknownKey {
                key: key.clone(),
                place: if self.path.is_root() { "the scenario".to_string() } else { self.path.to_string() },
                nearest: nearest(key, fields.iter().copied()),
                valid: fields.iter().map(ToString::to_string).collect(),
            };
            self.note(self.path.key(key), flaw);
        }
        known
    }
}

impl Node {
    /// The shape as the name of an enum's variant.
    fn shape(&self) -> &'static str {
        match self {
            Self::Null | Self::Scalar(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    fn described(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

fn shape_described(shape: &str) -> &'static str {
    match shape {
        "text" => "a single value",
        "list" => "a list",
        _ => "a map",
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Scalar(text) => visitor.visit_str(text),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Map(entries) => visitor.visit_map(Entries {
                rest: entries.iter().collect::<Vec<_>>().into_iter(),
                value: None,
                at: &self,
            }),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let rest = match self.node {
            Node::Map(entries) => self.known_entries(entries, fields),
            _ => {
                self.note_shape(&format!("a map with the keys {}", fields.join(", ")));
                return visitor.visit_map(MapDeserializer::new(std::iter::empty::<(&str, &str)>()));
            }
        };
        visitor.visit_map(Entries { rest: rest.into_iter(), value: None, at: &self })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.node {
            Node::List(items) => visitor.visit_seq(Items { items, next: 0, at: &self }),
            _ => {
                self.note_shape("a list");
                visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<&str>()))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.node {
            Node::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let text = match self.node {
            Node::Scalar(text) => text.clone(),
            _ => {
                self.note_shape("a single value");
                String::new()
            }
        };
        visitor.visit_seq(SeqDeserializer::new([text, self.path.to_string()].into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let shape = self.node.shape();
        let variant = match variants.iter().find(|variant| **variant == shape) {
            Some(variant) => variant,
            // The first variant notes that the shape is not its own, with less to say than this.
            None => {
                let expected: Vec<_> = variants.iter().map(|variant| shape_described(variant)).collect();
                self.note_shape(&expected.join(" or "));
                let empty = match variants.first() {
                    Some(&"text") => &Node::Scalar(String::new()),
                    Some(&"list") => &Node::List(Vec::new()),
                    _ => &Node::Map(Vec::new()),
                };
                let unnoted = RefCell::new(Vec::new());
                let reader = Reader { node: empty, path: self.path, notes: &unnoted };
                return visitor.visit_enum(Chosen { variant: variants.first().unwrap_or(&"map"), reader });
            }
        };
        visitor.visit_enum(Chosen { variant, reader: self })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple map identifier ignored_any
    }
}

struct Entries<'r, 'a> {
    rest: std::vec::IntoIter<&'a (String, Node)>,
    value: Option<&'a (String, Node)>,
    at: &'r Reader<'a>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = ShapeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ShapeError> {
        let Some(entry) = self.rest.next() else { return Ok(None) };
        self.value = Some(entry);
        seed.deserialize(entry.0.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ShapeError> {
        let (key, node) = self.value.take().ok_or_else(|| ShapeError("a value was asked for before its key".into()))?;
        seed.deserialize(self.at.at(node, self.at.path.key(key)))
    }
}

struct Items<'r, 'a> {
    items: &'a [Node],
    next: usize,
    at: &'r Reader<'a>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = ShapeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ShapeError> {
        let Some(node) = self.items.get(self.next) else { return Ok(None) };
        let path = self.at.path.index(self.next);
        self.next += 1;
        seed.deserialize(self.at.at(node, path)).map(Some)
    }
}

struct Chosen<'a> {
    variant: &'static str,
    reader: Reader<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Chosen<'a> {
    type Error = ShapeError;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), ShapeError> {
        Ok((seed.deserialize(self.variant.into_deserializer())?, self.reader))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = ShapeError;

    fn unit_variant(self) -> Result<(), ShapeError> {
        Err(ShapeError("a shape always has content".into()))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, ShapeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, ShapeError> {
        de::Deserializer::deserialize_seq(self, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        de::Deserializer::deserialize_struct(self, "", fields, visitor)
    }
}
