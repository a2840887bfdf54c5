//! The order in which resources are applied: what is referred to comes before what refers. Pure.

use std::collections::{BTreeSet, HashMap};

use super::Document;
use crate::commands::resources::types::{self, ResourceType};

/// Documents in waves: those of one wave are of one type and do not depend on each other.
///
/// Areas first, then types in the topological order of their references, parents before children, and within that the
/// order of the files.
pub(super) fn waves(documents: Vec<Document>) -> Vec<Vec<Document>> {
    let ranks = ranks(types::all());
    let depths = depths(&documents);
    let mut keyed: Vec<((usize, usize), Document)> = documents
        .into_iter()
        .map(|document| {
            let rank = ranks.get(document.kind.name.as_str()).copied().unwrap_or(usize::MAX);
            ((rank, depths.get(&document.name).copied().unwrap_or(0)), document)
        })
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    let mut waves: Vec<((usize, usize), Vec<Document>)> = Vec::new();
    for (key, document) in keyed {
        match waves.last_mut().filter(|(last, _)| *last == key) {
            Some((_, wave)) => wave.push(document),
            None => waves.push((key, vec![document])),
        }
    }
    waves.into_iter().map(|(_, wave)| wave).collect()
}

/// Places of the catalogue's types. Among types that are free to go, those of the areas' own package go first, then the
/// order of the contract: it declares what a service's resources are made of before them.
fn ranks(all: &[ResourceType]) -> HashMap<&str, usize> {
    let home = all.iter().find(|t| t.name == "linli/Area").map(|t| t.message.package_name().to_owned());
    let types: Vec<&ResourceType> = all.iter().filter(|t| t.catalogue).collect();
    let priority = |i: &usize| (Some(types[*i].message.package_name()) != home.as_deref(), *i);
    let needs: Vec<Vec<usize>> = types
        .iter()
        .map(|t| {
            let referred = types::referred_types(&t.message);
            (0..types.len()).filter(|i| types[*i].name != t.name && referred.contains(&types[*i].name)).collect()
        })
        .collect();
    let mut left: BTreeSet<usize> = (0..types.len()).collect();
    let mut ranks = HashMap::new();
    while !left.is_empty() {
        let free = left.iter().filter(|i| needs[**i].iter().all(|need| !left.contains(need)));
        // Types that refer to each other in a circle have no right order: the contract's own then.
        let next = free.min_by_key(|i| priority(i)).or_else(|| left.iter().min_by_key(|i| priority(i))).copied();
        let Some(next) = next else { break };
        left.remove(&next);
        ranks.insert(types[next].name.as_str(), ranks.len());
    }
    ranks
}

/// How many resources of the same type stand above each one.
fn depths(documents: &[Document]) -> HashMap<String, usize> {
    let kinds: HashMap<&str, &str> = documents.iter().map(|d| (d.name.as_str(), d.kind.name.as_str())).collect();
    let above: HashMap<&str, Vec<&str>> = documents
        .iter()
        .map(|d| {
            let own = |name: &&str| kinds.get(name) == Some(&d.kind.name.as_str()) && *name != d.name;
            (d.name.as_str(), d.references.iter().map(String::as_str).filter(own).collect())
        })
        .collect();
    let mut known = HashMap::new();
    for document in documents {
        depth(&document.name, &above, &mut known, 0);
    }
    known
}

fn depth(name: &str, above: &HashMap<&str, Vec<&str>>, known: &mut HashMap<String, usize>, steps: usize) -> usize {
    if let Some(depth) = known.get(name) {
        return *depth;
    }
    // A circle ends here; the service says what is wrong with it.
    if steps > above.len().min(256) {
        return 0;
    }
    let parents = above.get(name).map(Vec::as_slice).unwrap_or_default();
    let found = parents.iter().map(|parent| 1 + depth(parent, above, known, steps + 1)).max().unwrap_or(0);
    known.insert(name.to_owned(), found);
    found
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::commands::apply::parse;

    fn order(yaml: &str) -> Vec<Vec<String>> {
        let (documents, problems) = parse(Path::new("a.yaml"), yaml);
        assert_eq!(problems, []);
        let short = |d: Document| d.name.trim_start_matches("areas/").to_owned();
        waves(documents).into_iter().map(|wave| wave.into_iter().map(short).collect()).collect()
    }

    #[test]
    fn what_is_referred_to_comes_first_whatever_the_order_of_the_files() {
        let yaml = "--- {type: linli/Schedule, name: areas/x/schedules/s, offering: areas/x/offerings/o, station: areas/x/stations/t}\n\
            --- {type: linli/Station, name: areas/x/stations/t, unit: areas/x/units/b}\n\
            --- {type: linli/Offering, name: areas/x/offerings/o}\n\
            --- {type: linli/UnitLink, name: areas/x/unitLinks/l, fromUnit: areas/x/units/a, toUnit: areas/x/units/b}\n\
            --- {type: linli/Unit, name: areas/x/units/b, parent: areas/x/units/a}\n\
            --- {type: linli/Unit, name: areas/x/units/a}\n\
            --- {type: linli/StructureTemplate, name: areas/x/structureTemplates/s}\n\
            --- {type: linli/Area, name: areas/x, parent: areas/cn}\n\
            --- {type: linli/Area, name: areas/cn}\n";
        let flat: Vec<String> = order(yaml).concat();
        assert_eq!(flat[..6], ["cn", "x", "x/structureTemplates/s", "x/units/a", "x/units/b", "x/unitLinks/l"]);
        let place = |name: &str| flat.iter().position(|n| n == name);
        assert!(place("x/schedules/s") > place("x/offerings/o") && place("x/schedules/s") > place("x/stations/t"));
    }

    #[test]
    fn siblings_stand_in_one_wave_in_the_order_of_the_file() {
        let yaml = "--- {type: linli/Unit, name: areas/x/units/z}\n--- {type: linli/Unit, name: areas/x/units/a}\n";
        assert_eq!(order(yaml), [["x/units/z", "x/units/a"]]);
    }

    #[test]
    fn a_circle_of_parents_still_has_an_order() {
        let yaml = "--- {type: linli/Unit, name: areas/x/units/a, parent: areas/x/units/b}\n\
                    --- {type: linli/Unit, name: areas/x/units/b, parent: areas/x/units/a}\n";
        assert_eq!(order(yaml).concat().len(), 2);
    }

    #[test]
    fn assets_come_before_what_names_them_by_their_id() {
        let yaml = "--- {type: linli/AwardBinding, name: areas/x/awardBindings/b, asset: points}\n\
                    --- {type: linli/CardType, name: areas/x/cardTypes/c, reward: areas/x/rewards/r}\n\
                    --- {type: linli/Reward, name: areas/x/rewards/r}\n--- {type: linli/Asset, name: areas/x/assets/points}\n";
        let flat = order(yaml).concat();
        let place = |name: &str| flat.iter().position(|n| n.ends_with(name));
        assert_eq!(place("assets/points"), Some(0));
        assert!(place("rewards/r") < place("cardTypes/c"));
    }
}
