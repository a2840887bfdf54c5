//! What the files of the seven communities must say. The figures here are typed from the communities' own statements.

use std::path::PathBuf;

use super::*;
use crate::commands::demo::communities::COMMUNITIES;

fn fact(yaml: &str) -> Result<Fact> {
    Fact::try_from(serde_norway::from_str::<Raw>(yaml)?)
}

fn stated(area: &str) -> Vec<Fact> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../profiles").join(area).join("expected.yaml");
    read(&file).unwrap_or_else(|problem| panic!("{problem:#}"))
}

/// Lines per community: counted, and stated without being countable yet.
const LINES: [(&str, usize, usize); 7] = [
    ("xinhua", 34, 7),
    ("jinbujie", 15, 9),
    ("xinhe", 20, 11),
    ("guanba", 23, 9),
    ("bayi", 30, 4),
    ("nanhua", 30, 6),
    ("fuqiang", 20, 1),
];

/// What each community states about itself, as words of its figures.
const BASE: [(&str, &[&str]); 7] = [
    (
        "xinhua",
        &[
            "1+5+N: the 1",
            "1+5+N: the 5",
            "1+5+N: the N",
            "一会三长三员: 1 council",
            "head 3 of 3",
            "officer 3 of 3",
            "粮食局家属院",
            "药材公司家属院",
            "one round table a month",
            "list 基本公共",
            "list 社会公益",
            "list 便民利民",
            "网格党群服务驿站",
            "公益小站",
            "睦邻小屋",
            "50+ micro-services",
            "30+ cultural events a year",
            "79 disputes",
            "above 90 %",
        ],
    ),
    (
        "jinbujie",
        &[
            "founded 2020-07",
            "17 grids",
            "28 full-time grid workers",
            "level 网格长",
            "level 网格员",
            "level 楼栋长",
            "level 党员中心户",
            "6 青年强 branches",
            "2 当家人 branches",
            "12-heart card",
            "50+ people rewarded",
            "a happiness board in each of 17 grids",
            "award in December",
            "事件名称 手机号码 问题概述 具体地址 图片",
            "100+ activities",
        ],
    ),
    (
        "xinhe",
        &[
            "4 grid groups",
            "3 stations",
            "1 centre",
            "4 council halls",
            "108 community operators",
            "retired teachers, lawyers, doctors",
            "2 stations at 万科金域缇香",
            "财富城一期",
            "180+ disputes",
            "340+ activities",
            "14,000 people served",
            "participation +40 %",
            "conflicts -80 %",
            "hours +250 %",
            "public space 90 %",
        ],
    ),
    (
        "guanba",
        &[
            "30+ old compounds",
            "50-80 households",
            "1 head is wanted",
            "1 housekeeper is wanted",
            "N volunteers are wanted",
            "160 person-times",
            "3,000+ paired 小家",
            "N force doubled",
            "80+ elders living alone",
            "volunteer rota",
            "4,200 households signed in 3 months",
            "on-time rate 100 %",
        ],
    ),
    (
        "bayi",
        &[
            "5,029 households",
            "11,500+ people",
            "10 compounds",
            "165 Party members",
            "serves 13 compounds",
            "27,000 households within 15 minutes",
            "350 person-times a day",
            "at least 4 posts",
            "all college or above",
            "7 of 9 (77 %) under 35",
            "塞北嘉苑",
        ],
    ),
    (
        "nanhua",
        &[
            "6 compounds",
            "8 grids",
            "3,011 households",
            "3 compound branches",
            "compound 嘉木花园",
            "compound 南花园",
            "compound 康华园",
            "compound 绿秀苑",
            "15 building Party groups",
            "30 micro-grids",
            "56 micro-grid heads",
            "174 unit stewards",
            "four colours",
            "red-flower card",
            "四个一",
        ],
    ),
    (
        "fuqiang",
        &[
            "东胜小区",
            "since 2020-12",
            "布谷鸟",
            "6 steps",
            "3 tracks",
            "whiteboard",
            "letterbox",
            "40+ problems solved: parking, corridors, dogs",
        ],
    ),
];

#[test]
fn no_file_lost_a_line() {
    for (area, counted, later) in LINES {
        let facts = stated(area);
        let found = facts.iter().filter(|fact| fact.later().is_some()).count();
        assert_eq!((facts.len() - found, found), (counted, later), "{area}");
    }
    assert_eq!(LINES.map(|(area, ..)| area), COMMUNITIES.map(|community| community.0));
}

#[test]
fn what_the_communities_state_is_in_their_files() {
    for (area, figures) in BASE {
        let facts = stated(area);
        for figure in figures {
            assert!(facts.iter().any(|fact| fact.figure.contains(figure)), "{area} states {figure:?}");
        }
    }
}

#[test]
fn a_line_that_cannot_fail_is_refused() {
    for (yaml, why) in [
        ("{mechanism: M1, figure: x, check: units/grid, equals: 0}", "expect at least one"),
        ("{mechanism: M1, figure: x, check: units/grid, at_most: 3}", "expect at least one"),
        ("{mechanism: M1, figure: x, check: units/grid, at_least: 0}", "holds always"),
        ("{mechanism: M1, figure: x, check: gaps/grid}", "give equals"),
        ("{mechanism: M1, figure: x, check: units, equals: 1}", "needs a name"),
        ("{mechanism: M1, figure: x, check: people/old, equals: 1}", "has no name"),
        ("{mechanism: M1, figure: x}", "either"),
        ("{mechanism: M1, figure: x, later: somebody}", "later is one of"),
    ] {
        let problem = format!("{:#}", fact(yaml).expect_err(yaml));
        assert!(problem.contains(why), "{yaml}: {problem}");
    }
}

#[test]
fn an_operand_that_a_check_does_not_use_is_refused() {
    for (check, operand) in [
        ("units/grid, equals: 1", "where: {kind: grid}"),
        ("appointments/head, equals: 1", "under: 35"),
        ("gaps/head, equals: 0", "min: 3"),
        ("resources/Offering, equals: 1", "max: 3"),
        ("people, equals: 1", "of: 9"),
        ("stages/six, equals: 6", "where: {kind: x}"),
        ("units/grid, equals: 1", "with: publishedHours"),
    ] {
        let yaml = format!("{{mechanism: M1, figure: x, check: {check}, {operand}}}");
        let problem = format!("{:#}", fact(&yaml).expect_err(&yaml));
        let name = operand.split(':').next().unwrap_or_default();
        assert!(problem.contains(&format!("not used here: {name}")), "{yaml}: {problem}");
    }
    let later = fact("{mechanism: M1, figure: x, later: insight, equals: 3}").expect_err("nobody counts it");
    assert!(later.to_string().contains("equals"), "{later}");
}

#[test]
fn an_empty_file_is_no_profile() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("expected.yaml");
    std::fs::write(&file, "[]").expect("a file");
    assert!(read(&file).expect_err("no lines").to_string().contains("no figure"));
}
