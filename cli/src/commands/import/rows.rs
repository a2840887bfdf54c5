//! The rows of a CSV file, checked as a whole: every bad row with its line. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use linli_proto::org::Basis;

/// Columns of a file of households.
const HOUSEHOLDS: [&str; 6] = ["household_key", "unit", "person_key", "full_name", "birth_year", "tags"];
/// Columns of a file of appointments.
const APPOINTMENTS: [&str; 6] = ["person_key", "unit", "role", "basis", "start", "end"];
/// Characters of a key.
const MAX_KEY_CHARS: usize = 100;
/// Characters of a name.
const MAX_NAME_CHARS: usize = 60;
/// People of a household, as the service takes them.
const MAX_PEOPLE: usize = 20;
/// Tags of a person, as the service takes them.
const MAX_TAGS: usize = 16;

/// A bad row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowProblem {
    pub(super) line: u64,
    pub(super) message: String,
}

/// A file's rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum File {
    Households(Vec<HouseholdRow>),
    Appointments(Vec<AppointmentRow>),
}

/// A household with its people, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HouseholdRow {
    pub(super) line: u64,
    pub(super) key: String,
    /// Full name of the unit.
    pub(super) unit: String,
    pub(super) people: Vec<PersonRow>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PersonRow {
    pub(super) line: u64,
    pub(super) key: String,
    pub(super) full_name: String,
    pub(super) birth_year: i32,
    pub(super) tags: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppointmentRow {
    pub(super) line: u64,
    pub(super) person_key: String,
    /// Full name of the unit; empty: the whole area.
    pub(super) unit: String,
    pub(super) role: String,
    pub(super) basis: Basis,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) end: Option<DateTime<Utc>>,
}

/// One line with its cells by column; collects what is wrong with it.
struct Row<'a> {
    line: u64,
    cells: HashMap<&'a str, String>,
    bad: Vec<String>,
}

/// Reads a file; its header says what it holds.
pub(super) fn parse(area: &str, bytes: &[u8]) -> Result<File, Vec<RowProblem>> {
    let whole = |message: String| vec![RowProblem { line: 1, message }];
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes);
    let header = reader.headers().map_err(|e| whole(e.to_string()))?.clone();
    let has =
        |columns: &[&str]| header.len() == columns.len() && columns.iter().all(|c| header.iter().any(|h| h == *c));
    let (columns, households) = if has(&HOUSEHOLDS) {
        (HOUSEHOLDS, true)
    } else if has(&APPOINTMENTS) {
        (APPOINTMENTS, false)
    } else {
        let told = header.iter().collect::<Vec<_>>().join(",");
        let wanted = [HOUSEHOLDS.join(","), APPOINTMENTS.join(",")].join("\" or \"");
        return Err(whole(format!("the header is \"{told}\", where \"{wanted}\" is wanted")));
    };
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    for (i, record) in reader.records().enumerate() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(i as u64 + 2, csv::Position::line);
                let place = |column: &str| header.iter().position(|h| h == column);
                let cell = |column: &str| place(column).and_then(|at| record.get(at)).unwrap_or_default().to_owned();
                rows.push(Row { line, cells: columns.iter().map(|c| (*c, cell(c))).collect(), bad: Vec::new() });
            }
            Err(error) => {
                let line = error.position().map_or(i as u64 + 2, csv::Position::line);
                bad.push(RowProblem { line, message: error.to_string() });
            }
        }
    }
    if rows.is_empty() && bad.is_empty() {
        return Err(whole("the file has no rows behind its header".to_owned()));
    }
    let file = if households {
        File::Households(self::households(area, rows, &mut bad))
    } else {
        File::Appointments(appointments(area, rows, &mut bad))
    };
    bad.sort_by_key(|problem| problem.line);
    if bad.is_empty() { Ok(file) } else { Err(bad) }
}

impl Row<'_> {
    /// The text of a cell; control characters are refused, for they hide what a text says.
    fn text(&mut self, column: &str, most: usize) -> String {
        let text = self.cells.get(column).cloned().unwrap_or_default();
        if text.chars().any(char::is_control) {
            self.bad.push(format!("{column}: there are control characters in it; take them out"));
        }
        if text.chars().count() > most {
            self.bad.push(format!("{column}: more than {most} characters"));
        }
        text
    }

    fn wanted(&mut self, column: &str, most: usize) -> String {
        let text = self.text(column, most);
        if text.is_empty() {
            self.bad.push(format!("{column}: it is empty"));
        }
        text
    }

    /// The full name of a unit that the file gives by its id; empty stays empty.
    fn unit(&mut self, area: &str) -> String {
        let id = self.text("unit", MAX_KEY_CHARS);
        let prefix = format!("{area}/units/");
        let id = id.strip_prefix(&prefix).unwrap_or(&id);
        if id.contains('/') {
            self.bad.push(format!("unit: {id:?} is no unit of {area}; give the unit's id"));
        }
        if id.is_empty() { String::new() } else { format!("{prefix}{id}") }
    }

    fn instant(&mut self, column: &str) -> Option<DateTime<Utc>> {
        let text = self.text(column, MAX_KEY_CHARS);
        if text.is_empty() {
            return None;
        }
        let read = DateTime::parse_from_rfc3339(&text);
        if read.is_err() {
            self.bad.push(format!("{column}: {text:?} is no time such as 2026-01-01T00:00:00+08:00"));
        }
        read.ok().map(|at| at.with_timezone(&Utc))
    }

    fn finish(self, bad: &mut Vec<RowProblem>) {
        bad.extend(self.bad.into_iter().map(|message| RowProblem { line: self.line, message }));
    }
}

fn households(area: &str, rows: Vec<Row<'_>>, bad: &mut Vec<RowProblem>) -> Vec<HouseholdRow> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut people: HashSet<String> = HashSet::new();
    let mut found: Vec<HouseholdRow> = Vec::new();
    for mut row in rows {
        let key = row.wanted("household_key", MAX_KEY_CHARS);
        let unit = row.unit(area);
        if unit.is_empty() {
            row.bad.push("unit: it is empty; a household lives in a unit".to_owned());
        }
        let person = person(&mut row);
        if !people.insert(person.key.clone()) && !person.key.is_empty() {
            row.bad.push(format!("person_key: {:?} stands twice", person.key));
        }
        let place = *places.entry(key.clone()).or_insert(found.len());
        match found.get_mut(place) {
            Some(household) if household.unit != unit => {
                row.bad.push(format!("unit: household {key:?} lives in another unit on line {}", household.line));
            }
            Some(household) if household.people.len() == MAX_PEOPLE => {
                row.bad.push(format!("household_key: {key:?} has more than {MAX_PEOPLE} people"));
            }
            Some(household) => household.people.push(person),
            None => found.push(HouseholdRow { line: row.line, key, unit, people: vec![person] }),
        }
        row.finish(bad);
    }
    found
}

fn person(row: &mut Row<'_>) -> PersonRow {
    let key = row.wanted("person_key", MAX_KEY_CHARS);
    let full_name = row.wanted("full_name", MAX_NAME_CHARS);
    let year = row.text("birth_year", 4);
    let birth_year = match year.parse::<i32>() {
        Ok(year) if year == 0 || (1900..=2100).contains(&year) => year,
        Err(_) if year.is_empty() => 0,
        _ => {
            row.bad.push(format!("birth_year: {year:?} is no year from 1900 on; leave it empty when it is unknown"));
            0
        }
    };
    let tags = row.text("tags", 1000);
    let tags: Vec<String> = tags.split(';').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect();
    if tags.len() > MAX_TAGS {
        row.bad.push(format!("tags: more than {MAX_TAGS}"));
    }
    for tag in tags.iter().filter(|tag| linli_kernel::Slug::new(tag.as_str()).is_err()) {
        row.bad.push(format!("tags: {tag:?} is no code of a-z, 0-9 and hyphen"));
    }
    PersonRow { line: row.line, key, full_name, birth_year, tags }
}

/// Who begins which post where, and when.
type Term = (String, String, String, Option<DateTime<Utc>>);

fn appointments(area: &str, rows: Vec<Row<'_>>, bad: &mut Vec<RowProblem>) -> Vec<AppointmentRow> {
    let bases: BTreeMap<&str, Basis> = BTreeMap::from([
        ("", Basis::Unspecified),
        ("elected", Basis::Elected),
        ("designated", Basis::Designated),
        ("recruited", Basis::Recruited),
    ]);
    let mut seen: HashMap<Term, u64> = HashMap::new();
    let mut found = Vec::new();
    for mut row in rows {
        let person_key = row.wanted("person_key", MAX_KEY_CHARS);
        let unit = row.unit(area);
        let role = row.wanted("role", MAX_KEY_CHARS);
        let basis = row.text("basis", MAX_KEY_CHARS);
        let basis = bases.get(basis.as_str()).copied().unwrap_or_else(|| {
            row.bad.push(format!("basis: {basis:?} is none of elected, designated and recruited"));
            Basis::Unspecified
        });
        let (start, end) = (row.instant("start"), row.instant("end"));
        if start.zip(end).is_some_and(|(start, end)| end <= start) {
            row.bad.push("end: the term ends before it begins".to_owned());
        }
        if let Some(line) = seen.insert((person_key.clone(), unit.clone(), role.clone(), start), row.line) {
            row.bad.push(format!("the same appointment stands on line {line}"));
        }
        found.push(AppointmentRow { line: row.line, person_key, unit, role, basis, start, end });
        row.finish(bad);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(text: &str) -> Vec<(u64, String)> {
        let problems = parse("areas/x", text.as_bytes()).expect_err("is wrong");
        problems.into_iter().map(|p| (p.line, p.message)).collect()
    }

    #[test]
    fn people_of_one_household_stand_together() {
        let text = "\u{feff}household_key,unit,person_key,full_name,birth_year,tags\n\
                    h1,mg-01,p1,夏秀英,1944,living-alone;party-member\nh2,mg-02,p2,李宝山,,\nh1,mg-01,p3,王芳,2001,\n";
        let Ok(File::Households(found)) = parse("areas/x", text.as_bytes()) else { panic!("households are wanted") };
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].unit, "areas/x/units/mg-01");
        assert_eq!(found[0].people.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["p1", "p3"]);
        assert_eq!(found[0].people[0].tags, ["living-alone", "party-member"]);
        assert_eq!(found[1].people[0].birth_year, 0);
    }

    #[test]
    fn every_bad_row_is_told_with_its_line() {
        let text = "household_key,unit,person_key,full_name,birth_year,tags\n\
                    h1,mg-01,p1,A,1944,\nh1,mg-02,p1,,44x,No Tag\nh2,,p3,\"B\u{7}\",1950,\nh3,mg-01,p4\n";
        let found = bad(text);
        let of = |line: u64| {
            found.iter().filter(|(at, _)| *at == line).map(|(_, m)| m.as_str()).collect::<Vec<_>>().join("|")
        };
        for wanted in ["full_name", "birth_year", "No Tag", "stands twice", "another unit on line 2"] {
            assert!(of(3).contains(wanted), "{wanted}: {found:?}");
        }
        assert!(of(4).contains("control characters") && of(4).contains("lives in a unit"), "{found:?}");
        assert!(!of(5).is_empty() && of(2).is_empty(), "{found:?}");
    }

    #[test]
    fn appointments_are_read_with_their_terms() {
        let text = "person_key,unit,role,basis,start,end\np1,,secretary,elected,2026-01-01T00:00:00+08:00,\n\
                    p2,mg-01,building-head,,,\n";
        let Ok(File::Appointments(found)) = parse("areas/x", text.as_bytes()) else {
            panic!("appointments are wanted")
        };
        assert_eq!((found[0].unit.as_str(), found[0].basis), ("", Basis::Elected));
        assert_eq!(found[0].start.map(|s| s.to_rfc3339()).as_deref(), Some("2025-12-31T16:00:00+00:00"));
        assert_eq!(found[1].unit, "areas/x/units/mg-01");
    }

    #[test]
    fn wrong_terms_bases_and_repeats_are_told() {
        let text = "person_key,unit,role,basis,start,end\np1,,a,chosen,2026,\np1,,b,,2026-02-01T00:00:00Z,2026-01-01T00:00:00Z\n\
                    p3,,c,,,\np3,,c,,,\n";
        let lines: Vec<u64> = bad(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [2, 2, 3, 5]);
    }

    #[test]
    fn a_header_that_is_neither_is_told_what_is_wanted() {
        assert!(bad("name,age\na,1\n")[0].1.contains("household_key,unit"));
        assert!(bad("person_key,unit,role,basis,start,end\n")[0].1.contains("no rows"));
    }
}
