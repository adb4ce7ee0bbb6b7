//! Golden reports, and what must be true of a report whatever the facts are.
//!
//! The golden files are in `snapshots/`: a report that reads differently shows there as a diff. To accept it, run the
//! tests once more with `INSTA_UPDATE=always`.

#[allow(dead_code, reason = "shared with the tests of pages")]
mod support;

use reports::facts::Verdict;
use reports::{RunFacts, Style, latency_svg, markdown, text, timeline_svg, write};
use support::{empty_run, hostile_run, stormy_run};

#[test]
fn the_terminal_report_reads_as_agreed() {
    insta::assert_snapshot!("stormy_text", text(&stormy_run(), Style::default()));
    insta::assert_snapshot!("empty_text", text(&empty_run(), Style::default()));
}

#[test]
fn the_markdown_report_reads_as_agreed() {
    insta::assert_snapshot!("stormy_markdown", markdown(&stormy_run()));
    insta::assert_snapshot!("empty_markdown", markdown(&empty_run()));
}

#[test]
fn no_line_of_a_terminal_report_is_longer_than_80_columns_or_moves_the_cursor() {
    for facts in [stormy_run(), empty_run(), hostile_run()] {
        let report = text(&facts, Style::default());
        for line in report.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
            assert!(!line.chars().any(char::is_control), "a control character in {line:?}");
            assert_eq!(line.trim_end(), line, "a line ends in spaces");
        }
    }
}

#[test]
fn the_verdict_comes_first_and_the_trace_and_the_speed_come_last() {
    let report = text(&stormy_run(), Style::default());
    let lines: Vec<&str> = report.lines().collect();
    assert!(lines[0].starts_with("FAILS  one returns stale reads"), "{}", lines[0]);
    assert_eq!(lines[lines.len() - 2..], ["trace 5e0d3c1b9a87f642", "60.0 s in 0.41 s: 146 x real time"]);
}

#[test]
fn ten_anomalies_are_told_and_the_rest_are_counted() {
    let report = text(&stormy_run(), Style::default());
    assert_eq!(report.matches("stale read: c2 read").count(), 10, "{report}");
    assert!(report.contains("\n  and 37 more\n"), "{report}");
}

#[test]
fn colours_are_used_only_when_asked_for_and_change_no_word() {
    let plain = text(&stormy_run(), Style::default());
    let mut coloured = text(&stormy_run(), Style { colours: true });
    assert!(!plain.contains('\x1b') && coloured.contains("\x1b[1;31mFAILS\x1b[0m"));
    while let Some(begin) = coloured.find('\x1b') {
        let end = begin + coloured[begin..].find('m').expect("an escape ends in m");
        coloured.replace_range(begin..=end, "");
    }
    assert_eq!(plain, coloured);
}

#[test]
fn every_picture_is_well_formed_whatever_the_facts_say() {
    for facts in [stormy_run(), empty_run(), hostile_run()] {
        for svg in pictures(&facts) {
            if let Err(error) = roxmltree::Document::parse(&svg) {
                panic!("not well formed: {error}\n{svg}");
            }
        }
    }
}

#[test]
fn nothing_is_drawn_outside_a_picture() {
    for svg in [pictures(&stormy_run()), pictures(&hostile_run())].concat() {
        let document = roxmltree::Document::parse(&svg).expect("checked by another test");
        let root = document.root_element();
        let size = |name| root.attribute(name).and_then(|size| size.parse::<f64>().ok()).expect("an SVG has a size");
        let (width, height) = (size("width"), size("height"));
        for node in document.descendants() {
            for (names, limit) in [(["x", "cx", "x1", "x2"], width), (["y", "cy", "y1", "y2"], height)] {
                for at in names.iter().filter_map(|name| node.attribute(*name)?.parse::<f64>().ok()) {
                    assert!((0.0..=limit).contains(&at), "{node:?} lies outside {width} x {height}");
                }
            }
        }
    }
}

#[test]
fn the_timeline_names_every_fault_and_marks_every_kind_of_anomaly() {
    let [timeline, _] = pictures(&stormy_run());
    let labels = ["n1 n2 | n3 n4 n5 partition", "n3 power lost", "n4 clock +400 ms", "stale read", "lost write"];
    for label in labels.into_iter().chain(["virtual time (s)", "operations ended per 1.00 s", "ok", "unknown", "fail"])
    {
        assert!(words(&timeline).iter().any(|text| text == label), "no {label:?} in {:#?}", words(&timeline));
    }
    // A diamond for each anomaly that has a pixel of its own, and one in the legend.
    assert_eq!(shapes(&timeline, "polygon", "#CC006E"), 47 + 1);
    // The four faults, and one in the legend.
    assert_eq!(solid_bars(&timeline, "#555555"), 4 + 1);
    let calm = RunFacts { faults: Vec::new(), anomalies: Vec::new(), ..stormy_run() };
    assert_eq!(shapes(&pictures(&calm)[0], "polygon", "#CC006E"), 1);
}

#[test]
fn every_outcome_has_a_bar_in_each_bucket_in_which_it_occurred() {
    let facts = stormy_run();
    let [timeline, _] = pictures(&facts);
    let expected = |outcome: fn(&reports::facts::BucketFact) -> u64| {
        facts.throughput.iter().filter(|bucket| outcome(bucket) > 0).count() + 1
    };
    assert_eq!(shapes(&timeline, "rect", "#56B4E9"), expected(|bucket| bucket.ok));
    assert_eq!(shapes(&timeline, "rect", "#E69F00"), expected(|bucket| bucket.unknown));
    assert_eq!(shapes(&timeline, "rect", "#7A0019"), expected(|bucket| bucket.fail));
}

#[test]
fn the_latency_picture_names_kinds_and_percentiles_and_has_a_gap_where_nothing_was_acknowledged() {
    let [_, latency] = pictures(&stormy_run());
    for label in ["read (n = 5950)", "write (n = 4889)", "p50", "p99.9", "max", "1 ms", "1 s", "p99 per 1.00 s"] {
        assert!(words(&latency).iter().any(|text| text == label), "no {label:?} in {:#?}", words(&latency));
    }
    let lines = |svg: &str| {
        let document = roxmltree::Document::parse(svg).expect("checked by another test");
        let thick = |node: &roxmltree::Node<'_, '_>| {
            node.has_tag_name("polyline")
                && node.attribute("stroke-width") == Some("2")
                && node.attribute("stroke") == Some("#0072B2")
        };
        document.descendants().filter(thick).count()
    };
    let mut whole = stormy_run();
    for bucket in &mut whole.throughput {
        bucket.p99_micros.get_or_insert(5_000);
    }
    assert_eq!(lines(&latency), lines(&pictures(&whole)[1]) + 1);
}

#[test]
fn a_written_report_is_four_files_and_the_facts_come_back_out_of_the_json() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let facts = stormy_run();
    let out = directory.path().join("a/b");
    let written = write(&out, &facts).expect("the report is written");
    let json = std::fs::read_to_string(&written.json).expect("report.json is there");
    assert_eq!(serde_json::from_str::<RunFacts>(&json).expect("report.json holds facts"), facts);
    let value: serde_json::Value = serde_json::from_str(&json).expect("report.json is JSON");
    assert_eq!((&value["trace"], &value["verdict"]), (&"5e0d3c1b9a87f642".into(), &"fails".into()));
    assert!(value["speed_ratio"].as_f64().is_some_and(|ratio| ratio > 145.0));
    let page = std::fs::read_to_string(&written.markdown).expect("report.md is there");
    for picture in [&written.timeline, &written.latency] {
        let name = picture.file_name().and_then(|name| name.to_str()).expect("a picture has a name");
        assert!(picture.is_file() && page.contains(&format!("]({name})")), "{name} is shown by the page");
    }
    write(&out, &facts).expect("a report that is there already is replaced");
}

#[test]
fn a_report_that_cannot_be_written_names_the_path() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let taken = directory.path().join("taken");
    std::fs::write(&taken, "a file").expect("the test may write");
    let error = write(&taken, &stormy_run()).expect_err("a file is in the way").to_string();
    assert!(error.contains(&taken.display().to_string()), "{error}");

    let blocked = directory.path().join("blocked");
    std::fs::create_dir_all(blocked.join("report.md")).expect("the test may write");
    let error = write(&blocked, &stormy_run()).expect_err("a folder is in the way").to_string();
    assert!(error.contains("report.md"), "{error}");
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    for facts in [stormy_run(), hostile_run()] {
        assert_eq!(pictures(&facts), pictures(&facts.clone()));
        assert_eq!(markdown(&facts), markdown(&facts.clone()));
    }
}

#[test]
fn the_markdown_report_says_how_to_replay_the_run_and_what_each_verdict_means() {
    let page = markdown(&stormy_run());
    assert!(page.contains("storm run scenarios/one_returns_stale_reads_under_partition.yaml --seed 42"), "{page}");
    for verdict in Verdict::ALL {
        assert!(page.contains(&format!("- **{verdict}**: {}", verdict.meaning())), "{page}");
    }
}

fn pictures(facts: &RunFacts) -> [String; 2] {
    [timeline_svg(facts).expect("it draws"), latency_svg(facts).expect("it draws")]
}

/// The texts of a picture.
fn words(svg: &str) -> Vec<String> {
    let document = roxmltree::Document::parse(svg).expect("checked by another test");
    let text = |node: roxmltree::Node<'_, '_>| node.text().map(|text| text.trim().to_string());
    document.descendants().filter(|node| node.has_tag_name("text")).filter_map(text).collect()
}

/// How many shapes of a tag are filled with a colour.
fn shapes(svg: &str, tag: &str, fill: &str) -> usize {
    let document = roxmltree::Document::parse(svg).expect("checked by another test");
    document.descendants().filter(|node| node.has_tag_name(tag) && node.attribute("fill") == Some(fill)).count()
}

/// How many rectangles are filled with a colour and not translucent.
fn solid_bars(svg: &str, fill: &str) -> usize {
    let document = roxmltree::Document::parse(svg).expect("checked by another test");
    let solid = |node: &roxmltree::Node<'_, '_>| {
        node.has_tag_name("rect") && node.attribute("fill") == Some(fill) && node.attribute("opacity") == Some("1")
    };
    document.descendants().filter(solid).count()
}
