//! Like services are thanked alike: an award that was lost on its way stands out from those that were not.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use linli_kernel::Lang;
use linli_proto::points::{Award, AwardBinding, GetAwardBindingRequest};
use linli_proto::rules::{EffectiveRules, GetEffectiveRulesRequest, GetPluginVersionRequest, RuleBinding};
use tonic::Code;

use super::Check;
use super::cross::{Change, Served, check, order};
use crate::client::{CallError, Connection};

/// The hook of thanks.
const AWARD: &str = "points-award";

/// One who served, with everything that a rule sees which does not look at the person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Service {
    area: String,
    kind: String,
    role: String,
    minutes: i32,
    tags: Vec<String>,
}

/// Under which terms a binding thanks: since when they hold, and the digests of the rules in force.
struct Terms {
    since: (i64, i32),
    digests: HashSet<String>,
}

/// Of completed services that are alike to a rule, either all are thanked by a binding or none is.
pub(super) async fn thanked(connection: &Connection, awards: &[Award], served: &Served) -> Result<Check> {
    let mut terms: HashMap<(String, &str), Terms> = HashMap::new();
    let pairs: HashSet<(&str, &str)> = awards.iter().map(|a| (area_of(&a.name), a.award_binding.as_str())).collect();
    for (area, binding) in pairs {
        if let Some(found) = terms_of(connection, area, binding).await? {
            terms.insert((area.to_owned(), binding), found);
        }
    }
    Ok(alike(awards, served, &terms, connection.lang()))
}

fn area_of(name: &str) -> &str {
    name.split("/awards/").next().unwrap_or_default()
}

/// The terms of a binding in an area; `None` when it is off, or when its rules look at the person.
async fn terms_of(connection: &Connection, area: &str, binding: &str) -> Result<Option<Terms>> {
    let request = GetAwardBindingRequest { name: binding.to_owned() };
    let found = connection.repeat("GetAwardBinding", || {
        let (mut client, request) = (connection.points(), request.clone());
        Box::pin(async move { client.get_award_binding(request).await })
    });
    let Some(found) = if_readable::<AwardBinding>(found.await)?.filter(|found| !found.disabled) else {
        return Ok(None);
    };
    let id = binding.rsplit('/').next().unwrap_or_default();
    let Some(rules) = effective(connection, area, AWARD, id).await?.filter(|rules| rules.facts.is_empty()) else {
        return Ok(None);
    };
    let mut digests = HashSet::new();
    for rule in bindings(&rules) {
        let request = GetPluginVersionRequest { name: rule.plugin_version.clone() };
        let version = connection.repeat("GetPluginVersion", || {
            let (mut client, request) = (connection.rules(), request.clone());
            Box::pin(async move { client.get_plugin_version(request).await })
        });
        digests.extend(if_readable(version.await)?.map(|version| version.digest));
    }
    let changed = bindings(&rules).filter_map(|rule| rule.update_time).chain(found.update_time);
    Ok(Some(Terms { since: changed.map(order).max().unwrap_or_default(), digests }))
}

/// What was answered; `None` when it is not there or not for this caller.
fn if_readable<T>(answer: Result<T, CallError>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.code(), Code::NotFound | Code::PermissionDenied) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The rules in force at a hook; none when the caller may not know.
pub(super) async fn in_force(connection: &Connection, area: &str, hook: &str, kind: &str) -> Result<Vec<RuleBinding>> {
    Ok(effective(connection, area, hook, kind)
        .await?
        .map(|rules| bindings(&rules).cloned().collect())
        .unwrap_or_default())
}

fn bindings(rules: &EffectiveRules) -> impl Iterator<Item = &RuleBinding> {
    rules.rules.iter().filter_map(|rule| rule.rule_binding.as_ref())
}

async fn effective(connection: &Connection, area: &str, hook: &str, kind: &str) -> Result<Option<EffectiveRules>> {
    let request = GetEffectiveRulesRequest {
        parent: area.to_owned(),
        hook: hook.to_owned(),
        kind: kind.to_owned(),
        any_kind: false,
    };
    let rules = connection.repeat("GetEffectiveRules", || {
        let (mut client, request) = (connection.rules(), request.clone());
        Box::pin(async move { client.get_effective_rules(request).await })
    });
    if_readable(rules.await)
}

/// Who served at a completed booking, each person once, as the award's rules see it.
fn services(change: &Change) -> Vec<(Service, &str)> {
    let mut seen = HashSet::new();
    let once = change.told.servers.iter().filter(|server| seen.insert(server.person.as_str()));
    once.map(|server| {
        let service = Service {
            area: change.area.clone(),
            kind: change.told.kind.clone(),
            role: server.role.clone(),
            minutes: if server.minutes > 0 { server.minutes } else { change.told.slot_min },
            tags: change.told.tags.clone(),
        };
        (service, server.person.as_str())
    })
    .collect()
}

fn alike(awards: &[Award], served: &Served, terms: &HashMap<(String, &str), Terms>, lang: Lang) -> Check {
    let given: HashMap<(&str, &str, &str), &Award> =
        awards.iter().map(|a| ((a.award_binding.as_str(), a.event.as_str(), a.recipient.as_str()), a)).collect();
    let (mut checked, mut wrong) = (0, Vec::new());
    for ((area, binding), terms) in terms {
        let mut groups: BTreeMap<Service, (bool, Vec<String>)> = BTreeMap::new();
        let since = |change: &&Change| change.area == *area && change.at > terms.since;
        for change in served.changes.iter().filter(since) {
            for (service, person) in services(change) {
                let group = groups.entry(service).or_default();
                match given.get(&(*binding, change.event.as_str(), person)) {
                    Some(award) => group.0 |= terms.digests.contains(&award.digest),
                    None => group.1.push(format!("{}: no thanks of {binding} to {person}", change.told.booking)),
                }
                checked += 1;
            }
        }
        let lost = groups.into_values().filter(|(some, _)| *some).flat_map(|(_, unthanked)| unthanked);
        wrong.extend(lost);
    }
    let title = ("同样的服务同样答谢，没有遗漏", "Like services are thanked alike, and none is left out");
    check("suite.service-is-thanked", title, lang, checked, wrong)
}

#[cfg(test)]
mod tests {
    use linli_proto::booking::{BookingChanged, BookingState, Server};

    use super::*;

    const BINDING: &str = "areas/x/awardBindings/thanks";

    fn completed(position: i64, person: &str, role: &str) -> Change {
        let server = Server { person: person.into(), minutes: 60, role: role.into() };
        let told = BookingChanged {
            booking: format!("b{position}"),
            kind: "shift".into(),
            state: BookingState::Completed.into(),
            servers: vec![server],
            ..BookingChanged::default()
        };
        Change { event: format!("e{position}"), position, at: (position, 0), area: "areas/x".into(), told }
    }

    fn award(event: &str, person: &str) -> Award {
        Award {
            name: format!("areas/x/awards/{event}"),
            award_binding: BINDING.into(),
            event: event.into(),
            recipient: person.into(),
            digest: "d".into(),
            ..Award::default()
        }
    }

    fn judged(awards: &[Award], since: i64) -> usize {
        let changes = vec![completed(1, "p", "volunteer"), completed(2, "q", "volunteer"), completed(3, "r", "guest")];
        let served = Served { changes, ..Served::default() };
        let terms = Terms { since: (since, 0), digests: HashSet::from(["d".to_owned()]) };
        let terms = HashMap::from([(("areas/x".to_owned(), BINDING), terms)]);
        alike(awards, &served, &terms, Lang::En).violations.len()
    }

    #[test]
    fn an_award_that_like_services_had_and_one_did_not_is_lost() {
        assert_eq!(judged(&[award("e1", "p"), award("e2", "q")], 0), 0, "who served otherwise is another matter");
        assert_eq!(judged(&[award("e1", "p")], 0), 1);
        assert_eq!(judged(&[], 0), 0, "a rule may well thank nobody");
    }

    #[test]
    fn what_was_served_under_other_terms_is_not_compared() {
        assert_eq!(judged(&[award("e2", "q")], 1), 0);
        let other = Award { digest: "older".into(), ..award("e1", "p") };
        assert_eq!(judged(&[other], 0), 0);
    }
}
