//! Request ids that follow from what is imported, so that the same rows never act twice.

use sha2::{Digest as _, Sha256};

/// What stands for the content of a batch in the ids of its rows.
pub(super) fn content_digest(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// The id of a request about `key` in an area: the same for the same content, in any run.
///
/// The content counts: when what a row says has changed, it is another request.
pub(super) fn request_id(what: &str, area: &str, key: &str, content: &[u8; 32]) -> String {
    let mut digest = Sha256::new();
    for part in [b"linli import", what.as_bytes(), area.as_bytes(), key.as_bytes(), content] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(what: &str, area: &str, key: &str, content: &[u8]) -> String {
        request_id(what, area, key, &content_digest(content))
    }

    fn is_request_id(text: &str) -> bool {
        uuid::Uuid::try_parse(text).is_ok_and(|id| id.get_version_num() == 4)
    }

    #[test]
    fn the_same_rows_have_the_same_id_and_others_another() {
        let id = id_of("household", "areas/x", "h1", b"rows");
        assert!(is_request_id(&id));
        assert_eq!(id, id_of("household", "areas/x", "h1", b"rows"));
        for other in [
            id_of("appointment", "areas/x", "h1", b"rows"),
            id_of("household", "areas/y", "h1", b"rows"),
            id_of("household", "areas/x", "h2", b"rows"),
            id_of("household", "areas/x", "h1", b"other"),
            id_of("household", "areas/xh", "1", b"rows"),
        ] {
            assert_ne!(id, other);
        }
    }
}
