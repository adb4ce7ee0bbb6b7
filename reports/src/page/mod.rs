//! What all pages have in common: one file that opens without a network, and whose every word from outside is escaped.
//!
//! ```text
//!   <style> page.css        <script> timeline.js         both are part of this crate, and the only markup put in unescaped
//!   body(title, ...)        table(rows)                  everything else goes through maud, which escapes it
//!   data(id, json)          <script type="application/json">, in which `<` is written as \u003c
//! ```
//!
//! Nothing is fetched, and without scripts a page is a still picture with all its tables.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use crate::error::ReportError;
use crate::tables::{Rows, plain};

const STYLE: &str = include_str!("page.css");

/// The whole page around its body.
pub(crate) fn page(title: &str, body: &Markup, script: Option<&str>) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Whatever should slip past the escaping still cannot load or send anything.
                meta http-equiv="Content-Security-Policy"
                    content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                title { (plain(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (body) }
                @if let Some(script) = script { script { (PreEscaped(script)) } }
            }
        }
    };
    markup.into_string() + "\n"
}

/// A table with its headings; nothing when it has no rows.
pub(crate) fn table(rows: &Rows) -> Markup {
    html! {
        @if !rows.cells().is_empty() {
            div.scroll { table {
                thead { tr {
                    @for (heading, is_number) in rows.headings() { th.number[is_number] { (heading) } }
                } }
                tbody {
                    @for row in rows.cells() {
                        tr {
                            @for ((_, is_number), cell) in rows.headings().zip(row) {
                                td.number[is_number] { (plain(cell)) }
                            }
                        }
                    }
                }
            } }
        }
    }
}

/// A section with its heading; nothing when `shown` is false.
pub(crate) fn section(heading: &str, shown: bool, body: &Markup) -> Markup {
    html! { @if shown { section { h2 { (heading) } (body) } } }
}

/// Facts for the page's script.
pub(crate) fn data(id: &str, facts: &impl Serialize) -> Result<Markup, ReportError> {
    // Inside a script element only `</script` and `<!--` mean anything, and neither can be without its `<`.
    let json = serde_json::to_string(facts)?.replace('<', "\\u003c");
    Ok(html! { script type="application/json" id=(id) { (PreEscaped(json)) } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Column;

    const NASTY: &str = "</script><script>alert(1)</script><!-- \" ' & \u{1b}[31m";

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut rows = Rows::new(vec![Column::Words("what"), Column::Number("count")]);
        rows.push(vec![NASTY.to_string(), "1".to_string()]);
        let body = html! { p title=(NASTY) { (NASTY) } (table(&rows)) (data("facts", &NASTY).expect("it is JSON")) };
        let page = page(NASTY, &body, Some("0;"));
        assert_eq!(page.matches("<script").count(), 2, "{page}");
        assert!(!page.contains("<!--") && !page.contains("alert(1)</script>"), "{page}");
        assert!(page.contains("&lt;/script&gt;"), "{page}");
    }

    #[test]
    fn data_for_the_script_comes_back_as_it_was() {
        let markup = data("facts", &NASTY).expect("it is JSON").into_string();
        let json = markup.split_once('>').and_then(|(_, rest)| rest.strip_suffix("</script>")).expect("one element");
        assert_eq!(serde_json::from_str::<String>(json).expect("JSON"), NASTY);
    }

    #[test]
    fn a_page_fetches_nothing() {
        let page = page("x", &html! { p { "y" } }, None);
        for word in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(word), "{word} in {page}");
        }
    }

    #[test]
    fn a_table_without_rows_is_not_shown() {
        assert_eq!(table(&Rows::new(vec![Column::Words("what")])).into_string(), "");
    }
}
