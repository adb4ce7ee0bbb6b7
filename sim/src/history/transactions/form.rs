//! What an event is made of, whether it was written as EDN or as JSON.
//!
//! ```text
//!   {:type :ok, :value [[:append 1 2]]}        {"type":"ok","value":[["append",1,2]]}
//!        └──────────── Map [(Word type, Word ok), (Word value, List [List [Word append, Integer 1, Integer 2]])]
//! ```

/// A value of either notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `nil`, `null`.
    Nil,
    /// A whole number.
    Integer(i64),
    /// A keyword, symbol, or number of another kind, as it is spelled, a keyword without its colon.
    Word(String),
    /// A string.
    Text(String),
    /// A vector, list, set or array.
    List(Vec<Form>),
    /// A map or object.
    Map(Vec<(Form, Form)>),
}

impl Form {
    /// What a keyword says in EDN, and a string in JSON.
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) | Self::Text(word) => Some(word),
            _ => None,
        }
    }

    /// The value of a map's field.
    pub(super) fn field(&self, name: &str) -> Option<&Form> {
        let Self::Map(fields) = self else { return None };
        fields.iter().find(|(field, _)| field.word() == Some(name)).map(|(_, value)| value)
    }

    /// How a scalar is spelled, so that what differs is spelled differently; `None` for what has parts.
    pub(super) fn spelling(&self) -> Option<String> {
        match self {
            Self::Nil => Some("nil".to_string()),
            Self::Integer(integer) => Some(integer.to_string()),
            Self::Word(word) => Some(word.clone()),
            Self::Text(text) => Some(format!("{text:?}")),
            Self::List(_) | Self::Map(_) => None,
        }
    }
}

impl From<serde_json::Value> for Form {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(truth) => Self::Word(truth.to_string()),
            serde_json::Value::Number(number) => {
                number.as_i64().map_or_else(|| Self::Word(number.to_string()), Self::Integer)
            }
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(fields) => {
                Self::Map(fields.into_iter().map(|(name, value)| (Self::Text(name), Self::from(value))).collect())
            }
        }
    }
}
