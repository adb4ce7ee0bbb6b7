//! Golden pages, and what must be true of a page whatever the facts are.
//!
//! The golden files are in `testdata/`; `UPDATE_TESTDATA=1 cargo test -p reports --test pages` rewrites them. Style and script
//! are left out of them, and every element has a line of its own, so that a diff can be read.

#[allow(dead_code, reason = "shared with the tests of the other reports")]
mod support;

use std::fs;
use std::path::Path;

use reports::campaign::{campaign_markdown, campaign_page, coverage_svg, speed_svg};
use reports::cap::{CapFacts, Picture, cap_csv, cap_markdown, cap_page, cap_svg, figures, sentence};
use reports::{RunDetail, run_page, write_campaign, write_cap, write_page};
use support::{empty_run, hostile_detail, hostile_run, small_campaign, small_cap, stormy_detail, stormy_run};

#[track_caller]
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testdata").join(name);
    if std::env::var_os("UPDATE_TESTDATA").is_some() {
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the folder can be made");
        fs::write(&path, found).expect("the golden file can be written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(found.lines()).position(|(one, other)| one != other);
    let line = differs.unwrap_or_else(|| expected.lines().count().min(found.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(its end)").to_string();
    assert!(
        expected == found,
        "{name} differs in line {}; UPDATE_TESTDATA=1 rewrites it\n- {}\n+ {}",
        line + 1,
        at(&expected),
        at(found)
    );
}

/// A page with a line for each element, without what is the same on every page.
fn readable(page: &str) -> String {
    let mut page = page.to_string();
    for (from, until) in [("<style>", "</style>"), ("<script>", "</script>")] {
        if let Some(begin) = page.find(from) {
            let end = begin + page[begin..].find(until).expect("the element ends");
            page.replace_range(begin + from.len()..end, "...");
        }
    }
    page.replace("><", ">\n<")
}

#[test]
fn the_page_of_a_run_reads_as_agreed() {
    golden("run.html", &readable(&run_page(&stormy_run(), &stormy_detail()).expect("it can be made")));
    golden("run_empty.html", &readable(&run_page(&empty_run(), &RunDetail::default()).expect("it can be made")));
}

#[test]
fn the_report_of_a_campaign_reads_as_agreed() {
    let facts = small_campaign();
    golden("campaign.html", &readable(&campaign_page(&facts).expect("it can be made")));
    golden("campaign.md", &campaign_markdown(&facts));
}

#[test]
fn the_cap_report_reads_as_agreed() {
    let facts = small_cap();
    golden("cap.html", &readable(&cap_page(&facts)));
    golden("cap.md", &cap_markdown(&facts));
    golden("cap.csv", &cap_csv(&facts));
}

#[test]
fn nothing_from_outside_becomes_markup_or_leaves_the_page() {
    let hostile = run_page(&hostile_run(), &hostile_detail()).expect("it can be made");
    let stormy = run_page(&stormy_run(), &stormy_detail()).expect("it can be made");
    for page in [&hostile, &stormy] {
        assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (2, 2));
        assert!(!page.contains("<b>"), "a tag came through");
        for word in ["http://", "https://", "src=\"", "@import", "url(", "<!--"] {
            assert!(!page.contains(word), "{word} is in the page");
        }
        assert!(!page.chars().any(|char| char.is_control() && char != '\n'), "a control character came through");
    }
    let mut campaign = small_campaign();
    let nasty = "</pre><script>alert(1)</script>\u{1b}".to_string();
    for run in &mut campaign.runs {
        for text in [&mut run.scenario, &mut run.signature, &mut run.verdict] {
            text.push_str(&nasty);
        }
        run.unmet = vec![nasty.clone()];
    }
    campaign.source.push_str(&nasty);
    let page = campaign_page(&campaign).expect("it can be made");
    assert!(!page.contains("<script") && !page.contains('\u{1b}'), "{page}");
}

#[test]
fn a_page_is_well_formed_as_far_as_a_reader_of_xml_can_tell() {
    for svg in Picture::ALL.map(|picture| cap_svg(&small_cap(), picture)) {
        roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    }
    for svg in [coverage_svg(&small_campaign()), speed_svg(&small_campaign())] {
        let svg = svg.expect("there is something to draw").expect("it can be drawn");
        roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    }
}

#[test]
fn what_is_too_much_to_draw_is_left_out_and_told() {
    let page = run_page(&hostile_run(), &hostile_detail()).expect("it can be made");
    assert!(page.len() < 12_000_000, "{} bytes", page.len());
    assert!(page.contains("of 30,000 operations are drawn"), "nothing is told of what was left out");
}

#[test]
fn every_operation_of_an_anomaly_is_told_with_what_each_replica_said() {
    let page = run_page(&stormy_run(), &stormy_detail()).expect("it can be made");
    for words in ["#1 read k07 = v100", "#0 write k07 v140", "has none", "nothing by then", "1790000000.000100+0@n2"] {
        assert!(page.contains(words), "{words} is missing");
    }
}

#[test]
fn sentences_say_what_the_figures_say() {
    let facts = small_cap();
    let told = |key: &str| {
        let cell = facts.cells.iter().find(|cell| cell.key == key).expect("the cell is there");
        let fault = facts.faults.iter().find(|fault| fault.key == cell.fault).expect("the fault is there");
        sentence(cell, fault, &figures(cell))
    };
    assert_eq!(
        told("n3-quorum-quorum-minority-cut-off"),
        "With the minority cut off, N = 3: reads at quorum with writes at quorum were never stale in 5,000 reads; reads were \
         unavailable 100% of the time on the minority side and 0% on the majority side, writes 100% and 0%; no acknowledged \
         write was lost."
    );
    let weak = told("n3-one-one-minority-cut-off");
    assert!(weak.contains("were stale in 18.0% of 5,000 reads (95%: "), "{weak}");
    assert!(weak.contains("typically by ") && weak.contains("at most by 2.00 s"), "{weak}");
    let calm = told("n3-one-quorum-none");
    assert!(calm.contains("; reads were unavailable 0% of the time, writes 0%; "), "{calm}");
}

#[test]
fn a_report_without_runs_is_a_page_too() {
    let mut facts = small_cap();
    for cell in &mut facts.cells {
        cell.runs.clear();
    }
    let nothing = CapFacts { cells: Vec::new(), faults: Vec::new(), ..small_cap() };
    for facts in [&facts, &nothing] {
        assert!(cap_page(facts).contains("</html>") && cap_markdown(facts).contains("# CAP report"));
    }
    assert_eq!(cap_csv(&nothing), "");
}

#[test]
fn a_contradiction_stands_at_the_top() {
    let page = cap_page(&small_cap());
    let (verdict, picture) = (page.find("contradicts theory"), page.find("<figure"));
    assert!(verdict.is_some() && verdict < picture, "{verdict:?} {picture:?}");
    let mut obedient = small_cap();
    obedient.cells.iter_mut().flat_map(|cell| &mut cell.theory).for_each(|fact| fact.holds = true);
    assert!(cap_page(&obedient).contains("agrees with theory"));
}

#[test]
fn reports_are_written_beside_each_other() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let out = directory.path();
    for page in [
        write_page(out, &stormy_run(), &stormy_detail()),
        write_campaign(out, &small_campaign()),
        write_cap(out, &small_cap()),
    ] {
        assert!(fs::metadata(page.expect("it is written")).is_ok_and(|file| file.len() > 5_000));
    }
    for (page, names) in [
        ("campaign.md", &["coverage.svg", "speed.svg"][..]),
        ("cap.md", &["cap-unanswered.svg", "cap-stale.svg", "cap-lost.svg", "cap-latency.svg"]),
    ] {
        let page = fs::read_to_string(out.join(page)).expect("it is there");
        for name in names {
            assert!(page.contains(&format!("]({name})")) && out.join(name).is_file(), "{name}");
        }
    }
}
