//! A source file as the rules see it: code without comments and strings, which lines are tests, what is imported.
//!
//! ```text
//!   let s = "todo!()"; // todo!          ──▶   let s = "       ";
//!   use crate::{a, b::{self, C}};        ──▶   crate::a, crate::b::self, crate::b::C
//! ```
//!
//! Blanking keeps every line where it was, so a line number in the code is one in the file.

/// One file of the repository.
pub(crate) struct Source {
    /// From the root of the repository, with forward slashes: `engine/src/wal/mod.rs`.
    pub(crate) path: String,
    /// The file as it is.
    pub(crate) text: String,
    /// The text with comments and the contents of strings blanked.
    pub(crate) code: String,
}

impl Source {
    /// A file with this path and text.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_string(), text: text.to_string(), code: code_only(text) }
    }

    /// The crate that the file belongs to: the first folder of its path.
    pub(crate) fn house_crate(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// Whether the whole file is a test, a bench, or helps them.
    pub(crate) fn is_test_file(&self) -> bool {
        let mut parts = self.path.split('/').skip(1);
        parts.any(|part| matches!(part, "tests" | "benches" | "tests.rs") || part.ends_with("_tests.rs"))
    }

    /// The lines of code that are not part of a test, with their numbers from 1.
    pub(crate) fn production_lines(&self) -> Vec<(usize, &str)> {
        if self.is_test_file() {
            return Vec::new();
        }
        let tests = test_lines(&self.code);
        let numbered = self.code.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(number, _)| !tests.iter().any(|range| range.contains(number))).collect()
    }
}

/// The text with everything that is not code turned into spaces; line breaks and the quotes of strings stay.
pub(crate) fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment_length(rest)
        } else if let Some(length) = string_length(rest, code.chars().last()) {
            length
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let (blanked, after) = rest.split_at(length);
        let quoted = !blanked.starts_with('/');
        for (index, char) in blanked.char_indices() {
            let edge = index == 0 || index + char.len_utf8() == length;
            code.push(if char == '\n' || (quoted && edge) { char } else { ' ' });
        }
        rest = after;
    }
    code
}

fn block_comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the string or character literal that `text` begins with; `None` when it begins with none.
fn string_length(text: &str, before: Option<char>) -> Option<usize> {
    let in_a_name = before.is_some_and(|char| char.is_alphanumeric() || char == '_');
    if !in_a_name && let Some(raw) = text.strip_prefix("br").or_else(|| text.strip_prefix('r')) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let open = text.len() - raw.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return Some(text[open..].find(&close).map_or(text.len(), |at| open + at + close.len()));
        }
    }
    if text.starts_with('"') {
        return Some(quoted_length(text, '"'));
    }
    // 'a' and '\n' are characters, 'a is a lifetime.
    let mut chars = text.strip_prefix('\'')?.chars();
    match (chars.next()?, chars.next()?) {
        ('\\', _) | (_, '\'') => Some(quoted_length(text, '\'')),
        _ => None,
    }
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + char.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The line ranges of modules under `#[cfg(test)]`, attribute and closing brace included.
fn test_lines(code: &str) -> Vec<std::ops::RangeInclusive<usize>> {
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    let mut ranges = Vec::new();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let Some(length) = code[at..].find(['{', ';']) else { continue };
        let end = at + length;
        if code[end..].starts_with('{') {
            ranges.push(line_of(at)..=line_of(end + block_length(&code[end..])));
        } else {
            ranges.push(line_of(at)..=line_of(end));
        }
    }
    ranges
}

/// The offset of the brace that closes the one with which `code` begins.
fn block_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, char) in code.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    code.len().saturating_sub(1)
}

/// Every path that the given lines of code import with `use`, or name outright, with its line. Groups are spelled out.
pub(crate) fn paths(lines: &[(usize, &str)]) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for &(number, line) in lines {
        let (begin, mut statement) = match open.take() {
            Some(statement) => statement,
            None => match use_statement(line) {
                Some(begin) => (number, begin.to_string()),
                None => {
                    paths.extend(named_paths(line).map(|path| (number, path)));
                    continue;
                }
            },
        };
        if begin != number {
            statement.push(' ');
            statement.push_str(line);
        }
        match statement.split_once(';') {
            Some((tree, _)) => paths.extend(spelled_out(tree).into_iter().map(|path| (begin, path))),
            None => open = Some((begin, statement)),
        }
    }
    paths
}

/// What stands behind `use` in a line that begins with it, whatever its visibility.
fn use_statement(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.trim_start().starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => line,
    };
    line.strip_prefix("use ")
}

fn named_paths(line: &str) -> impl Iterator<Item = String> + '_ {
    let words = line.split(|char: char| !(char.is_alphanumeric() || char == '_' || char == ':'));
    words.filter(|word| word.contains("::")).map(|word| word.trim_matches(':').to_string())
}

/// `a::{b, c::{self, D as E}}` as `a::b`, `a::c::self`, `a::c::D`.
fn spelled_out(tree: &str) -> Vec<String> {
    let (mut stack, mut prefix, mut current, mut paths) = (Vec::new(), String::new(), String::new(), Vec::new());
    let finish = |prefix: &str, current: &mut String, paths: &mut Vec<String>| {
        let name = std::mem::take(current);
        let name = name.split(" as ").next().unwrap_or_default().trim();
        if !name.is_empty() {
            paths.push(format!("{prefix}{name}"));
        }
    };
    for char in tree.chars() {
        match char {
            '{' => {
                stack.push(prefix.clone());
                prefix.push_str(current.trim());
                current.clear();
            }
            '}' => {
                finish(&prefix, &mut current, &mut paths);
                prefix = stack.pop().unwrap_or_default();
            }
            ',' => finish(&prefix, &mut current, &mut paths),
            _ => current.push(char),
        }
    }
    finish(&prefix, &mut current, &mut paths);
    paths
}

#[test]
fn comments_strings_and_characters_are_not_code() {
    let text = "let a = \"todo!() \\\" // x\"; // todo!()\nlet b: &'static str = r#\"dbg!(\"a\")\"#; /* a /* b */ c */ f('\"', 'x');";
    let code = code_only(text);
    assert!(!code.contains("todo") && !code.contains("dbg") && !code.contains('x') && !code.contains(" c "), "{code}");
    assert!(code.contains("&'static str") && code.contains("let a = \"") && code.ends_with(");"), "{code}");
    assert_eq!(code.matches('\n').count(), 1);
}

#[test]
fn groups_of_imports_are_spelled_out_with_the_line_where_they_begin() {
    let code = "x();\npub(crate) use crate::{a, b::{self, C as D}};\nlet y = std::fs::read(z);\nuse q::{\n    r,\n};\n";
    let lines: Vec<(usize, &str)> = code.lines().enumerate().map(|(index, line)| (index + 1, line)).collect();
    let found: Vec<String> = paths(&lines).iter().map(|(line, path)| format!("{line} {path}")).collect();
    assert_eq!(found, ["2 crate::a", "2 crate::b::self", "2 crate::b::C", "3 std::fs::read", "4 q::r"]);
}

#[test]
fn a_test_module_ends_at_its_own_brace() {
    let source =
        Source::new("engine/src/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { c(); }\n}\nfn d() {}\n");
    let numbers: Vec<usize> = source.production_lines().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 6]);
}
