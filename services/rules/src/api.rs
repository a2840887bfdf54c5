//! The tonic service: decode, call, encode.

use std::sync::Arc;

use linli_kit::feed::FeedService;
use tonic::service::Routes;

use crate::app::App;

/// The service's routes.
pub(crate) fn routes(app: Arc<App>) -> Routes {
    let feed = FeedService::new(app.parts.log.clone(), app.access.clone(), app.parts.kit.texts.clone());
    Routes::new(feed.into_server())
}
