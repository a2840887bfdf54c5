//! The check that every plugin gets for nothing: are these settings declared, of the right kind and in range?
//! Never: a judgement about settings that are each in range; that is `Rule::check`.

use crate::bindings::meta::{SettingDecl, SettingKind, SettingProblem};
use crate::manifest::{Text, text};
use crate::types::{Reason, Setting, SettingValue};

const UNKNOWN: &str = "setting-unknown";
const REPEATED: &str = "setting-repeated";
const WRONG_KIND: &str = "setting-wrong-kind";
const OUT_OF_RANGE: &str = "setting-out-of-range";
const NOT_A_CHOICE: &str = "setting-not-a-choice";
const TOO_LONG: &str = "setting-too-long";

pub(crate) const MESSAGES: [(&str, Text); 6] = [
    (UNKNOWN, text("没有名为“{0}”的设置", "There is no setting named {0}")),
    (REPEATED, text("设置“{0}”重复", "Setting {0} is given twice")),
    (WRONG_KIND, text("设置“{0}”的类型不对", "Setting {0} is of another kind")),
    (OUT_OF_RANGE, text("设置“{0}”应在 {1} 到 {2} 之间", "Setting {0} must be from {1} to {2}")),
    (NOT_A_CHOICE, text("设置“{0}”没有“{1}”这个选项", "Setting {0} has no option {1}")),
    (TOO_LONG, text("设置“{0}”最多 {1} 项", "Setting {0} takes at most {1} entries")),
];

pub(crate) fn against(declared: &[SettingDecl], given: &[Setting]) -> Vec<SettingProblem> {
    let mut problems = Vec::new();
    for (at, setting) in given.iter().enumerate() {
        let found = match declared.iter().find(|d| d.key == setting.key) {
            None => Err((UNKNOWN, vec![])),
            Some(_) if given[..at].iter().any(|s| s.key == setting.key) => Err((REPEATED, vec![])),
            Some(decl) => fits(&decl.kind, &setting.value),
        };
        if let Err((code, rest)) = found {
            let mut args = vec![setting.key.clone()];
            args.extend(rest);
            problems.push(SettingProblem { key: setting.key.clone(), why: Reason { code: code.to_owned(), args } });
        }
    }
    problems
}

fn fits(kind: &SettingKind, value: &SettingValue) -> Result<(), (&'static str, Vec<String>)> {
    let short = |len: usize, max: u16| {
        if len <= usize::from(max) { Ok(()) } else { Err((TOO_LONG, vec![max.to_string()])) }
    };
    match (kind, value) {
        (SettingKind::Flag, SettingValue::Flag(_)) => Ok(()),
        (SettingKind::Number((min, max)), SettingValue::Number(n)) => {
            if (min..=max).contains(&n) {
                Ok(())
            } else {
                Err((OUT_OF_RANGE, vec![min.to_string(), max.to_string()]))
            }
        }
        (SettingKind::Choice(options), SettingValue::Choice(code)) => {
            if options.contains(code) {
                Ok(())
            } else {
                Err((NOT_A_CHOICE, vec![code.clone()]))
            }
        }
        (&SettingKind::Numbers(max), SettingValue::Numbers(list)) => short(list.len(), max),
        (&SettingKind::Codes(max), SettingValue::Codes(list)) => short(list.len(), max),
        _ => Err((WRONG_KIND, vec![])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::meta::Guest;
    use crate::prelude::*;
    use crate::testing::{choice, codes, flag, number};

    struct Sample;
    impl Rule for Sample {
        fn manifest() -> Manifest {
            let blank = text("", "");
            Manifest::new(blank, blank)
                .number(&Number::new("age", 60, 0, 120), blank, blank)
                .choice(&Choice::new("mode", &["a", "b"]), blank, blank)
                .codes(&Codes::new("kinds", &[], 1), blank, blank)
        }
    }

    fn problems(given: Vec<Setting>) -> Vec<(String, String)> {
        let problems = Sample::check_settings(given).err().unwrap_or_default();
        problems.into_iter().map(|p| (p.key, p.why.code)).collect()
    }

    #[test]
    fn settings_within_their_bounds_pass() {
        assert!(problems(vec![number("age", 120), choice("mode", "b"), codes("kinds", &["x"])]).is_empty());
    }

    #[test]
    fn every_bad_setting_is_reported_at_once() {
        let given = vec![
            number("age", 121),
            choice("mode", "c"),
            codes("kinds", &["x", "y"]),
            flag("age", true),
            flag("typo", true),
        ];
        let expected = [
            ("age", "setting-out-of-range"),
            ("mode", "setting-not-a-choice"),
            ("kinds", "setting-too-long"),
            ("age", "setting-repeated"),
            ("typo", "setting-unknown"),
        ];
        assert_eq!(problems(given), expected.map(|(k, c)| (k.to_owned(), c.to_owned())));
    }
}
