//! Claims about filters: SQL on both engines and messages agree.

use linli_proto::booking::{Offering, OfferingState};
use linli_proto::common::{Amount, Text};
use prost::Message as _;
use prost_reflect::DynamicMessage;
use sea_orm::sea_query::Query;
use sea_orm::{ConnectionTrait as _, Order};

use super::*;
use crate::store::Migration;
use crate::testing::stores_with;

const PATHS: &[&str] =
    &["kind", "state", "max_party", "waitlist", "tags", "display_name.en", "create_time", "base_price.value"];

fn offerings() -> Vec<Offering> {
    let offering = |kind: &str, en: &str, max_party, waitlist, state: OfferingState| Offering {
        kind: kind.into(),
        display_name: Some(Text { zh_cn: String::new(), en: en.into() }),
        max_party,
        waitlist,
        state: state.into(),
        tags: vec![format!("tag-{kind}")],
        create_time: Some(prost_types::Timestamp { seconds: 1_790_000_000 + i64::from(max_party), nanos: 0 }),
        ..Default::default()
    };
    let states = [1, 2].map(|n| OfferingState::try_from(n).expect("a state"));
    let mut all = vec![
        offering("haircut", "A haircut", 1, false, states[0]),
        offering("meal", "Lunch 50%_off", 4, true, states[1]),
        offering("Meal", "lunch", 9, true, states[0]),
    ];
    all[1].base_price = Some(Amount { asset: "points".into(), value: 5 });
    all
}

fn dynamic(offering: &Offering) -> DynamicMessage {
    let descriptor = linli_proto::pool().get_message_by_name("linli.booking.v1.Offering").expect("in the contract");
    DynamicMessage::decode(descriptor, offering.encode_to_vec().as_slice()).expect("decodes")
}

const TABLE: &[Migration] = &[Migration {
    version: 1000,
    name: "test: offerings",
    sqlite: &["CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, kind TEXT NOT NULL, state INTEGER NOT NULL, \
               max_party INTEGER NOT NULL, waitlist INTEGER NOT NULL, en TEXT NOT NULL, create_us INTEGER NOT NULL, price INTEGER)"],
    postgres: &["CREATE TABLE t (id bigint NOT NULL PRIMARY KEY, kind text NOT NULL, state bigint NOT NULL, \
                 max_party bigint NOT NULL, waitlist boolean NOT NULL, en text NOT NULL, create_us bigint NOT NULL, price bigint)"],
}];

fn columns() -> Vec<FilterField> {
    vec![
        FilterField::new("kind", Kind::Text, Expr::col("kind")),
        FilterField::new("state", Kind::proto_enum("linli.booking.v1.OfferingState"), Expr::col("state")),
        FilterField::new("max_party", Kind::Int, Expr::col("max_party")),
        FilterField::new("waitlist", Kind::Bool, Expr::col("waitlist")),
        FilterField::new("display_name.en", Kind::Text, Expr::col("en")),
        FilterField::new("create_time", Kind::Timestamp, Expr::col("create_us")),
        FilterField::new("base_price.value", Kind::Int, Expr::col("price")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn sql_on_both_engines_and_messages_agree() {
    let state = OfferingState::try_from(2).expect("a state").as_str_name().to_owned();
    let cases: Vec<(String, Vec<i64>)> = vec![
        (String::new(), vec![0, 1, 2]),
        ("kind = meal".into(), vec![1]),
        (r#"kind != "meal""#.into(), vec![0, 2]),
        (r#"kind = "*eal""#.into(), vec![1, 2]),
        (r#"kind = "hair*" OR max_party >= 9"#.into(), vec![0, 2]),
        (r#"display_name.en = "*a*""#.into(), vec![0]),
        (r#"display_name.en : "50%_""#.into(), vec![1]),
        (r#"display_name.en = "lunch*""#.into(), vec![2]),
        (r#"display_name.en = "*""#.into(), vec![0, 1, 2]),
        (format!("state = {state} AND waitlist = true"), vec![1]),
        ("NOT (waitlist = true) max_party < 5".into(), vec![0]),
        (r#"create_time > "2026-09-21T14:13:21Z" AND create_time <= "2026-09-21T14:13:29+00:00""#.into(), vec![1, 2]),
        ("base_price.value = 5".into(), vec![1]),
        ("base_price.value != 5".into(), vec![0, 2]),
        ("-base_price.value > 1".into(), vec![0, 2]),
        ("base_price.value:*".into(), vec![1]),
    ];
    for store in stores_with("test", TABLE).await {
        for (i, o) in offerings().into_iter().enumerate() {
            let mut insert = Query::insert();
            insert.into_table("t").columns([
                "id",
                "kind",
                "state",
                "max_party",
                "waitlist",
                "en",
                "create_us",
                "price",
            ]);
            let en = o.display_name.unwrap_or_default().en;
            let created = o.create_time.unwrap_or_default().seconds * 1_000_000;
            let price = o.base_price.map(|p| p.value);
            insert.values_panic([
                (i as i64).into(),
                o.kind.into(),
                i64::from(o.state).into(),
                i64::from(o.max_party).into(),
                o.waitlist.into(),
                en.into(),
                created.into(),
                price.into(),
            ]);
            let insert = &insert;
            store
                .write("fill", |tx| Box::pin(async move { Ok(tx.conn().execute(insert).await?) }))
                .await
                .expect("fills");
        }
        for (filter, wanted) in &cases {
            let condition = condition(filter, &columns()).unwrap_or_else(|e| panic!("{filter}: {e}"));
            let mut select = Query::select();
            select.column("id").from("t").cond_where(condition).order_by("id", Order::Asc);
            let rows = store.reader().query_all(&select).await.unwrap_or_else(|e| panic!("{filter}: {e}"));
            let found: Vec<i64> = rows.iter().map(|r| r.try_get_by_index(0).expect("an id")).collect();
            assert_eq!(&found, wanted, "{filter} on {:?}", store.engine());
        }
    }
    let descriptor = linli_proto::pool().get_message_by_name("linli.booking.v1.Offering").expect("in the contract");
    for (filter, wanted) in &cases {
        let test = MessageFilter::parse(filter, &descriptor, PATHS).unwrap_or_else(|e| panic!("{filter}: {e}"));
        let passes = |(i, o): (usize, &Offering)| test.matches(&dynamic(o)).then_some(i as i64);
        let found: Vec<i64> = offerings().iter().enumerate().filter_map(passes).collect();
        assert_eq!(&found, wanted, "{filter} on messages");
    }
}

#[test]
fn a_list_has_a_member() {
    let descriptor = linli_proto::pool().get_message_by_name("linli.booking.v1.Offering").expect("in the contract");
    let test = |filter: &str| MessageFilter::parse(filter, &descriptor, PATHS).expect("valid");
    let first = dynamic(&offerings()[0]);
    assert!(test(r#"tags:"tag-haircut""#).matches(&first));
    assert!(!test(r#"tags:"tag""#).matches(&first), "a member, not a part of one");
    assert!(test(r#"tags:"tag*""#).matches(&first));
    assert!(test("tags:*").matches(&first));
}

#[test]
fn what_is_not_listed_or_does_not_fit_is_named_with_the_fields_there_are() {
    let long = format!("kind = \"{}\"", "x".repeat(3000));
    let many = vec!["max_party = 1"; 65].join(" OR ");
    for bad in [
        "resident = x",
        "kind",
        "kind > a",
        "max_party = many",
        "state = NOWHERE",
        "waitlist = 1",
        "kind = (a OR b)",
        "len(kind) = 3",
        "create_time > yesterday",
        "kind = ",
        "((((",
        &long,
        &many,
        "max_party = 99999999999999999999",
    ] {
        let error = condition(bad, &columns()).expect_err(bad);
        let status = error.into_status(&crate::Texts::kit(), linli_kernel::Lang::En, "test.linli");
        assert!(status.message().contains("filter: The filter is not valid"), "{bad}: {}", status.message());
        assert!(status.message().contains("kind, state, max_party"), "{bad}: {}", status.message());
    }
}

#[test]
fn orders_are_checked() {
    let fields = [OrderField::new("start_time", Expr::col("start_us")), OrderField::new("name", Expr::col("id"))];
    let read = |text| order_by(text, &fields).map(|o| o.into_iter().map(|(f, d)| (f.name, d)).collect::<Vec<_>>());
    assert_eq!(read("").expect("default"), []);
    let both = [("start_time", Order::Desc), ("name", Order::Asc)];
    assert_eq!(read(" start_time desc , name").expect("valid"), both);
    for bad in ["x", "name name", "name,", "name desc asc", "name, name", "name; drop"] {
        let error = read(bad).expect_err(bad);
        assert_eq!(error.reason(), "INVALID_FIELDS", "{bad}");
    }
}
