//! Named places at which a test breaks the process or makes it stand still. Nothing in a release: feature `failpoints`.

use crate::Result;

/// Passes a place. `return` as its action in `FAILPOINTS` makes it fail as a process that shuts down does; `return(DIR)`
/// makes it stand still for as long as `DIR` holds a file `{name}.armed`, once it has written `{name}.reached` there
/// (`::` in the name as a dot).
///
/// # Errors
/// UNAVAILABLE when told so.
#[cfg(feature = "failpoints")]
pub(crate) async fn point(name: &'static str) -> Result<()> {
    match fail::eval(name, |argument| argument) {
        None => Ok(()),
        Some(None) => Err(crate::Error::new(crate::ErrorCode::Unavailable, "SHUTTING_DOWN")),
        Some(Some(dir)) => {
            let file = |state: &str| std::path::Path::new(&dir).join(format!("{}.{state}", name.replace("::", ".")));
            while file("armed").exists() {
                std::fs::write(file("reached"), []).map_err(crate::Error::internal)?;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Ok(())
        }
    }
}

/// Passes a place.
///
/// # Errors
/// None without the feature.
#[cfg(not(feature = "failpoints"))]
pub(crate) async fn point(_: &'static str) -> Result<()> {
    Ok(())
}
