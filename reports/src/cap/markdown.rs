//! cap.md: the same as the page, for places that show Markdown: pictures, sentences, tables.
//!
//! ```text
//!   # CAP report   findings      ## pictures      ## In sentences      ## Against theory      ## Every figure
//! ```

use super::CapFacts;
use super::figures::figures;
use super::heat::Picture;
use super::page::{findings, is_typical, opening, rows};
use super::sentences::sentence;
use crate::tables::{Column, Rows, escape};

/// The report as Markdown. It shows the four pictures, which lie beside it.
pub fn cap_markdown(facts: &CapFacts) -> String {
    let mut page =
        format!("# CAP report: what each quorum gives, and what it costs\n\n{}\n\n", escape(&opening(facts)));
    for finding in findings(facts) {
        page.push_str(&format!("- {}\n", escape(&finding)));
    }
    for picture in Picture::ALL {
        let (title, caption) = (picture.title(), picture.caption());
        page.push_str(&format!("\n## {title}\n\n![{title}]({})\n\n{}\n", picture.file(), escape(caption)));
    }
    page.push_str("\n## In sentences\n");
    for fault in &facts.faults {
        page.push_str(&format!("\n### {}\n\n{}\n\n", escape(&fault.title), escape(&fault.about)));
        for cell in facts.cells.iter().filter(|cell| cell.fault == fault.key && is_typical(cell)) {
            page.push_str(&format!("- {}\n", escape(&sentence(cell, fault, &figures(cell)))));
        }
    }
    page.push_str(&format!("\n## Against theory\n\n{}", theory(facts)));
    page.push_str("\n## Every figure\n");
    for fault in &facts.faults {
        page.push_str(&format!("\n### {}\n\n{}", escape(&fault.title), rows(facts, fault).markdown()));
    }
    page.push_str(&format!("\n## How to make it again\n\n```sh\n{}\n```\n", facts.command.replace('`', "")));
    page
}

fn theory(facts: &CapFacts) -> String {
    let demands: usize = facts.cells.iter().map(|cell| cell.theory.len()).sum();
    let mut against = Rows::new(vec![Column::Words("cell"), Column::Words("theory"), Column::Words("seen")]);
    for cell in &facts.cells {
        for fact in cell.theory.iter().filter(|fact| !fact.holds) {
            against.push(vec![cell.key.clone(), fact.claim.clone(), fact.seen.clone()]);
        }
    }
    match against.cells().len() {
        0 => format!("{demands} demands of theory, none contradicted.\n"),
        number => format!("{number} of {demands} demands of theory are contradicted:\n\n{}", against.markdown()),
    }
}
