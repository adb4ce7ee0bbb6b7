//! What production code may not contain.
//!
//! ```text
//!   .unwrap()                        an error names what the caller must do; `expect` says why it cannot happen
//!   todo!  unimplemented!  dbg!      unfinished
//!   cfg(test) but on a module        tests would try other code than what runs
//!   select! without biased           the order in which branches are tried would be random
//! ```
//!
//! Clocks, files, threads and hash maps are the business of clippy's lists (`.clippy.toml` in each crate): they see
//! through imports.

use super::Violation;
use super::source::Source;

/// Everything of that kind in the production code of a file.
pub(crate) fn banned(source: &Source) -> Vec<Violation> {
    let lines = source.production_lines();
    let mut violations = Vec::new();
    for &(number, line) in &lines {
        if line.replace(' ', "").contains(".unwrap()") {
            let remedy =
                "`unwrap` outside tests; return an error, or say in `expect(\"why it cannot happen\")` why it cannot";
            violations.push(Violation::new(&source.path, number, remedy));
        }
        for word in ["todo!", "unimplemented!", "dbg!"] {
            if names_macro(line, word) {
                violations.push(Violation::new(
                    &source.path,
                    number,
                    format!("`{word}` is unfinished work; finish or remove it"),
                ));
            }
        }
    }
    violations.extend(test_switches(source));
    violations.extend(unbiased_selects(source));
    violations
}

fn names_macro(line: &str, name: &str) -> bool {
    let before = |at: usize| line[..at].chars().last();
    line.match_indices(name).any(|(at, _)| !before(at).is_some_and(|char| char.is_alphanumeric() || char == '_'))
}

/// `cfg(test)` in any of its forms, on anything but a module.
fn test_switches(source: &Source) -> Vec<Violation> {
    if source.is_test_file() {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for opening in ["cfg(", "cfg!(", "cfg_attr("] {
        for (at, _) in source.code.match_indices(opening) {
            let condition = &source.code[at + opening.len()..];
            let condition = &condition[..condition.find([']', '\n']).unwrap_or(condition.len())];
            let asks =
                condition.split(|char: char| !(char.is_alphanumeric() || char == '_')).any(|word| word == "test");
            let on_module = opening == "cfg(" && condition.starts_with("test)") && is_on_module(&source.code[at..]);
            if asks && !on_module {
                let line = source.code[..at].matches('\n').count() + 1;
                let remedy = "`cfg(test)` in production logic: tests must run the code that runs; keep it to `mod tests`, and \
                              hand differences in as values";
                violations.push(Violation::new(&source.path, line, remedy));
            }
        }
    }
    violations
}

/// Whether what follows the attribute, other attributes aside, is a module.
fn is_on_module(code: &str) -> bool {
    let after = code.split_once(']').map_or("", |(_, after)| after);
    let mut lines = after.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("#["));
    let item = lines.next().unwrap_or_default();
    let item = item.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
    item.starts_with("mod ")
}

fn unbiased_selects(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (at, name) in source.code.match_indices("select!") {
        let body = source.code[at + name.len()..].trim_start();
        if body.starts_with(['{', '(']) && !body[1..].trim_start().starts_with("biased") {
            let line = source.code[..at].matches('\n').count() + 1;
            let remedy = "`select!` without `biased;` tries its branches in random order, and a run no longer repeats; begin it with `biased;`";
            violations.push(Violation::new(&source.path, line, remedy));
        }
    }
    violations
}
