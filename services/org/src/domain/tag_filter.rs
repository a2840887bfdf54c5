//! Tests of tags in a filter of people: taken out of its text, for tags are found by a blind index and not by a column.

/// Bytes of a filter that is looked at.
const MAX_LEN: usize = 4096;

/// Splits a filter into the tags that a person must carry and what is left of it.
///
/// `tags:code` counts where AND joins it to the whole rest: outside parentheses and quotes. AND binds less tightly than OR
/// (AIP-160), so a part between two ANDs that is more than one test of a tag stays as it is. `None` when a test of a tag
/// stands anywhere else.
pub fn split(filter: &str) -> Option<(Vec<String>, String)> {
    if filter.len() > MAX_LEN {
        // Too long for the filter itself, which says so.
        return Some((Vec::new(), filter.to_owned()));
    }
    let (mut tags, mut rest) = (Vec::new(), Vec::new());
    for part in parts(filter) {
        match tag(part) {
            Some(code) => tags.push(code.to_owned()),
            None if names_tags(part) => return None,
            None => rest.push(part),
        }
    }
    Some((tags, rest.join(" AND ")))
}

/// The parts that AND joins at the top level.
fn parts(filter: &str) -> Vec<&str> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    for (at, _) in filter.match_indices(" AND ") {
        if at >= begin && is_top(&filter[..at]) {
            parts.push(filter[begin..at].trim());
            begin = at + " AND ".len();
        }
    }
    parts.push(filter[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Whether what comes after `text` stands outside quotes and parentheses.
fn is_top(text: &str) -> bool {
    let mut depth = 0;
    let quote = outside(text, |c| match c {
        '(' => depth += 1,
        ')' => depth -= 1,
        _ => {}
    });
    quote.is_none() && depth == 0
}

/// Calls `see` for each character outside quotes; the quote that is open at the end.
fn outside(text: &str, mut see: impl FnMut(char)) -> Option<char> {
    let (mut quote, mut escaped) = (None, false);
    for c in text.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None => see(c),
        }
    }
    quote
}

/// The code, when the part is one test of a tag.
fn tag(part: &str) -> Option<&str> {
    let value = part.strip_prefix("tags")?.trim_start().strip_prefix(':')?.trim();
    let bare = value.strip_prefix('"').map_or(Some(value), |quoted| quoted.strip_suffix('"'))?;
    linli_kernel::Slug::new(bare).is_ok().then_some(bare)
}

/// Whether the part tests tags somewhere.
fn names_tags(part: &str) -> bool {
    let mut open = String::new();
    outside(part, |c| open.push(c));
    open.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.' || c == '-'))
        .any(|word| word.trim_start_matches('-') == "tags")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(filter: &str) -> Option<(Vec<String>, String)> {
        split(filter)
    }

    #[test]
    fn tags_joined_by_and_are_taken_out() {
        let cases = [
            ("", &[][..], ""),
            ("tags:elder", &["elder"], ""),
            ("tags:\"living-alone\" AND birth_year < 1950", &["living-alone"], "birth_year < 1950"),
            ("(a = 1 OR b = 2) AND tags:x AND tags : y", &["x", "y"], "(a = 1 OR b = 2)"),
            ("a = 1 OR b = 2 AND tags:x", &["x"], "a = 1 OR b = 2"),
            ("import_key = \"a AND tags:b\"", &[], "import_key = \"a AND tags:b\""),
            ("import_key = \"tags\" AND (a = 1 AND b = 2)", &[], "import_key = \"tags\" AND (a = 1 AND b = 2)"),
        ];
        for (filter, tags, rest) in cases {
            let tags = tags.iter().map(|t| (*t).to_owned()).collect();
            assert_eq!(read(filter), Some((tags, rest.to_owned())), "{filter}");
        }
    }

    #[test]
    fn a_tag_whose_meaning_would_change_is_refused() {
        for filter in [
            "(a = 1 AND tags:x AND b = 2) OR c = 3",
            "tags:x OR a = 1",
            "a = 1 OR tags:x",
            "NOT tags:x",
            "-tags:x",
            "tags:x tags:y",
            "tags = \"x\"",
            "(tags:x)",
            "tags:\"x y\"",
        ] {
            assert_eq!(read(filter), None, "{filter}");
        }
    }
}
