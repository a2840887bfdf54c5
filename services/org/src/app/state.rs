//! What org's feed tells as it stands now: areas, units, appointments, for projections that have missed events for good.

use async_trait::async_trait;
use linli_kernel::AreaId;
use linli_kit::feed::{FeedState, told};
use linli_kit::store::EventDraft;
use linli_kit::{Ctx, Error, FieldViolation, Result};
use linli_proto::events::Event;
use sea_orm::sea_query::Expr;
use sea_orm::{Condition, EntityTrait as _, ExprTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use uuid::Uuid;

use super::{App, appointments, areas};
use crate::store::entities::{appointment, area, unit};

/// Rows of one page.
const PAGE: u64 = 2000;

/// Where a page begins: a table, and the key of the last row before it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    Areas(String),
    Units(String, String),
    Appointments(String, Uuid),
}

impl From {
    fn read(token: &str) -> Option<Self> {
        let mut parts = token.splitn(3, ':');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(""), None, None) => Some(Self::Areas(String::new())),
            (Some("areas"), Some(area), None) => Some(Self::Areas(area.to_owned())),
            (Some("units"), Some(area), Some(id)) => Some(Self::Units(area.to_owned(), id.to_owned())),
            (Some("appointments"), Some(area), Some(id)) => Some(Self::Appointments(area.to_owned(), id.parse().ok()?)),
            _ => None,
        }
    }

    fn token(&self) -> String {
        match self {
            Self::Areas(area) => format!("areas:{area}"),
            Self::Units(area, id) => format!("units:{area}:{id}"),
            Self::Appointments(area, id) => format!("appointments:{area}:{id}"),
        }
    }
}

#[async_trait]
impl FeedState for App {
    async fn page(&self, ctx: &Ctx, token: &str) -> Result<(Vec<Event>, String)> {
        let expected = || Error::field(FieldViolation::new("page_token", "PAGE_TOKEN_INVALID"));
        let (drafts, next) = match From::read(token).ok_or_else(expected)? {
            From::Areas(area) => self.areas_behind(ctx, &area).await?,
            From::Units(area, id) => self.units_behind(ctx, &area, &id).await?,
            From::Appointments(area, id) => self.appointments_behind(ctx, &area, id).await?,
        };
        let events = drafts.into_iter().map(|draft| told(self.parts.kit.service, draft)).collect();
        Ok((events, next.map_or_else(String::new, |next| next.token())))
    }
}

/// A page and where the next begins.
type Page = (Vec<EventDraft>, Option<From>);

impl App {
    async fn areas_behind(&self, ctx: &Ctx, area: &str) -> Result<Page> {
        let rows = area::Entity::find().filter(Expr::col(area::Column::Area).gt(area)).order_by_asc(area::Column::Area);
        let rows = rows.limit(PAGE).all(self.parts.store.reader()).await?;
        let last = rows.last().filter(|_| full(rows.len())).map(|row| From::Areas(row.area.clone()));
        let drafts = rows.iter().map(|row| Ok(areas::event(ctx, &slug(&row.area)?, row))).collect::<Result<_>>()?;
        Ok((drafts, last.or_else(|| Some(From::Units(String::new(), String::new())))))
    }

    async fn units_behind(&self, ctx: &Ctx, area: &str, id: &str) -> Result<Page> {
        let rows = unit::Entity::find()
            .filter(behind(Expr::col(unit::Column::Area), area, Expr::col(unit::Column::Id).gt(id)))
            .order_by_asc(unit::Column::Area)
            .order_by_asc(unit::Column::Id);
        let rows = rows.limit(PAGE).all(self.parts.store.reader()).await?;
        let last = rows.last().filter(|_| full(rows.len())).map(|row| From::Units(row.area.clone(), row.id.clone()));
        let drafts =
            rows.iter().map(|row| Ok(Self::unit_event(ctx, &slug(&row.area)?, row, false))).collect::<Result<_>>()?;
        Ok((drafts, last.or_else(|| Some(From::Appointments(String::new(), Uuid::nil())))))
    }

    async fn appointments_behind(&self, ctx: &Ctx, area: &str, id: Uuid) -> Result<Page> {
        let rows = appointment::Entity::find()
            .filter(behind(Expr::col(appointment::Column::Area), area, Expr::col(appointment::Column::Id).gt(id)))
            .order_by_asc(appointment::Column::Area)
            .order_by_asc(appointment::Column::Id);
        let rows = rows.limit(PAGE).all(self.parts.store.reader()).await?;
        let last = rows.last().filter(|_| full(rows.len())).map(|row| From::Appointments(row.area.clone(), row.id));
        let drafts =
            rows.iter().map(|row| Ok(appointments::event(ctx, &slug(&row.area)?, row))).collect::<Result<_>>()?;
        Ok((drafts, last))
    }
}

/// Rows behind a key of two columns.
fn behind(column: Expr, area: &str, id_behind: Expr) -> Condition {
    Condition::any().add(column.clone().gt(area)).add(Condition::all().add(column.eq(area)).add(id_behind))
}

fn full(rows: usize) -> bool {
    rows as u64 == PAGE
}

fn slug(area: &str) -> Result<AreaId> {
    AreaId::parse_name(&format!("areas/{area}")).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written() {
        let places = [
            From::Areas("xinhua".into()),
            From::Units("xinhua".into(), "grid-1".into()),
            From::Appointments("xinhua".into(), Uuid::nil()),
        ];
        for place in places {
            assert_eq!(From::read(&place.token()), Some(place));
        }
        assert_eq!(From::read(""), Some(From::Areas(String::new())));
        assert_eq!(From::read("people:xinhua"), None);
    }
}
