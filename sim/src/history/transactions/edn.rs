//! A reader of EDN, form by form, for histories of any length.
//!
//! ```text
//!   {:process 0, :type :invoke, :f :txn, :value [[:r 1 nil]]}  ; one event after the other
//!   [#jepsen.history.Op{:process 0 ...} ...]                   ; or all of them in one vector: its brackets are passed over
//! ```
//!
//! Tags are left out, `#_` and `;` pass over what they should. It believes no length and no depth: a form has at most 4 MiB,
//! a name 64 KiB, and 32 levels.

use std::io::{self, Read};

use super::form::Form;

/// Bytes of one event, at most.
pub(super) const FORM_BYTES_MAX: usize = 4 << 20;

/// Bytes of a name, number or string, at most.
const TOKEN_BYTES_MAX: usize = 64 << 10;

/// Levels of brackets, at most.
const DEPTH_MAX: usize = 32;

/// What is wrong with the text.
#[derive(Debug, thiserror::Error)]
pub enum EdnFault {
    /// The file could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It ends within a form.
    #[error("the history ends in the middle of an event; it is truncated: cut it off before that event")]
    Truncated,
    /// A character where nothing begins like that.
    #[error("`{}` does not belong here", char::from(*.0).escape_default())]
    Unexpected(u8),
    /// A map with a key and no value.
    #[error("a map has a key without a value")]
    OddMap,
    /// Something longer than anything in a history.
    #[error("an event of more than {} MiB, or a name of more than {} KiB: this is no history", FORM_BYTES_MAX >> 20, TOKEN_BYTES_MAX >> 10)]
    TooLong,
    /// More levels than anything in a history.
    #[error("brackets are nested more than {DEPTH_MAX} deep: this is no history")]
    TooDeep,
    /// Bytes that are no text.
    #[error("a name is not UTF-8")]
    NotText,
}

/// See the module.
pub(super) struct EdnReader<R> {
    input: R,
    buffer: Vec<u8>,
    at: usize,
    /// The line that is being read, from 1.
    pub(super) line: u32,
    /// Bytes since the form at the top began.
    form_bytes: usize,
    /// Whether all events stand in one vector, whose end has not come yet.
    is_wrapped: bool,
}

impl<R: Read> EdnReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), at: 0, line: 1, form_bytes: 0, is_wrapped: false }
    }

    /// The next event, with the line on which it begins; `None` behind the last.
    pub(super) fn next_event(&mut self) -> Result<Option<(u32, Form)>, EdnFault> {
        loop {
            self.form_bytes = 0;
            self.skip_space()?;
            match self.peek()? {
                None if self.is_wrapped => return Err(EdnFault::Truncated),
                None => return Ok(None),
                Some(b'[') if !self.is_wrapped => {
                    self.is_wrapped = true;
                    self.at += 1;
                }
                Some(b']') if self.is_wrapped => {
                    self.is_wrapped = false;
                    self.at += 1;
                }
                Some(_) => {
                    let line = self.line;
                    if let Some(form) = self.form(0)? {
                        return Ok(Some((line, form)));
                    }
                }
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, EdnFault> {
        if self.at == self.buffer.len() {
            self.buffer.resize(64 << 10, 0);
            self.at = 0;
            let read = loop {
                match self.input.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read,
                }
            };
            self.buffer.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(self.buffer.get(self.at).copied())
    }

    /// Takes the byte that was peeked at.
    fn take(&mut self, byte: u8) -> Result<(), EdnFault> {
        self.at += 1;
        self.line += u32::from(byte == b'\n');
        self.form_bytes += 1;
        if self.form_bytes > FORM_BYTES_MAX { Err(EdnFault::TooLong) } else { Ok(()) }
    }

    fn skip_space(&mut self) -> Result<(), EdnFault> {
        let mut is_comment = false;
        while let Some(byte) = self.peek()? {
            match byte {
                b'\n' => is_comment = false,
                _ if is_comment => {}
                b';' => is_comment = true,
                b' ' | b'\t' | b'\r' | b',' | 0x0c => {}
                _ => break,
            }
            self.at += 1;
            self.line += u32::from(byte == b'\n');
        }
        Ok(())
    }

    /// One form; `None` for a discarded one.
    fn form(&mut self, depth: usize) -> Result<Option<Form>, EdnFault> {
        if depth > DEPTH_MAX {
            return Err(EdnFault::TooDeep);
        }
        let byte = self.peek()?.ok_or(EdnFault::Truncated)?;
        match byte {
            b'[' => self.list(b']', depth).map(Form::List).map(Some),
            b'(' => self.list(b')', depth).map(Form::List).map(Some),
            b'{' => self.map(depth).map(Some),
            b'"' => self.text().map(Some),
            b'#' => self.dispatched(depth),
            b':' => {
                self.take(byte)?;
                self.token().map(Form::Word).map(Some)
            }
            byte if is_name(byte) => Ok(Some(scalar(self.token()?))),
            byte => Err(EdnFault::Unexpected(byte)),
        }
    }

    fn list(&mut self, end: u8, depth: usize) -> Result<Vec<Form>, EdnFault> {
        self.take(b'[')?;
        let mut forms = Vec::new();
        loop {
            self.skip_space()?;
            match self.peek()? {
                None => return Err(EdnFault::Truncated),
                Some(byte) if byte == end => {
                    self.take(byte)?;
                    return Ok(forms);
                }
                Some(_) => forms.extend(self.form(depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Form, EdnFault> {
        let forms = self.list(b'}', depth)?;
        if forms.len() % 2 == 1 {
            return Err(EdnFault::OddMap);
        }
        let mut fields = Vec::with_capacity(forms.len() / 2);
        let mut forms = forms.into_iter();
        while let (Some(key), Some(value)) = (forms.next(), forms.next()) {
            fields.push((key, value));
        }
        Ok(Form::Map(fields))
    }

    /// What begins with `#`: a set, a discarded form, or a tag with what it belongs to.
    fn dispatched(&mut self, depth: usize) -> Result<Option<Form>, EdnFault> {
        self.take(b'#')?;
        match self.peek()?.ok_or(EdnFault::Truncated)? {
            b'{' => self.list(b'}', depth).map(Form::List).map(Some),
            b'_' => {
                self.take(b'_')?;
                self.skip_space()?;
                self.form(depth + 1)?;
                Ok(None)
            }
            byte if is_name(byte) => {
                self.token()?;
                self.skip_space()?;
                self.form(depth + 1)
            }
            byte => Err(EdnFault::Unexpected(byte)),
        }
    }

    fn token(&mut self) -> Result<String, EdnFault> {
        let mut token = Vec::new();
        while let Some(byte) = self.peek()? {
            if !is_name(byte) {
                break;
            }
            token.push(byte);
            self.take(byte)?;
            if token.len() > TOKEN_BYTES_MAX {
                return Err(EdnFault::TooLong);
            }
        }
        String::from_utf8(token).map_err(|_| EdnFault::NotText)
    }

    fn text(&mut self) -> Result<Form, EdnFault> {
        self.take(b'"')?;
        let mut text = Vec::new();
        loop {
            let byte = self.peek()?.ok_or(EdnFault::Truncated)?;
            self.take(byte)?;
            match byte {
                b'"' => return String::from_utf8(text).map(Form::Text).map_err(|_| EdnFault::NotText),
                b'\\' => {
                    let escaped = self.peek()?.ok_or(EdnFault::Truncated)?;
                    self.take(escaped)?;
                    text.push(match escaped {
                        b'n' => b'\n',
                        b't' => b'\t',
                        b'r' => b'\r',
                        other => other,
                    });
                }
                byte => text.push(byte),
            }
            if text.len() > TOKEN_BYTES_MAX {
                return Err(EdnFault::TooLong);
            }
        }
    }
}

/// Whether a byte may stand in a name or number.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".*+!-_?$%&=<>/:#'\\|@^~".contains(&byte) || byte >= 0x80
}

fn scalar(token: String) -> Form {
    match token.as_str() {
        "nil" => Form::Nil,
        // A whole number may end in N, for one of any size.
        number => number.trim_end_matches('N').parse().map_or(Form::Word(token), Form::Integer),
    }
}
