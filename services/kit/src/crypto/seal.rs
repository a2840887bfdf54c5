//! Sealing one field of one row: `version | key id | nonce | ciphertext and tag`.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

use super::keyring::{KEY_LEN, Keyring};
use crate::{Error, Result};

const VERSION: u8 = 1;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const HEADER_LEN: usize = 1 + 4 + NONCE_LEN;

/// The place of a sealed value: moved to another row, column or area, it does not open.
#[derive(Debug, Clone, Copy)]
pub struct Aad<'a> {
    /// The table.
    pub table: &'a str,
    /// The column.
    pub column: &'a str,
    /// The area's slug.
    pub area: &'a str,
    /// The row's id, in its stored bytes or its text; always the same form for one column.
    pub id: &'a [u8],
}

impl Aad<'_> {
    /// The parts with their lengths, so that no two places encode alike.
    fn encode(&self, header: &[u8]) -> Vec<u8> {
        let parts = [header, self.table.as_bytes(), self.column.as_bytes(), self.area.as_bytes(), self.id];
        let mut out = Vec::with_capacity(parts.iter().map(|p| p.len() + 4).sum());
        for part in parts {
            out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}

impl Keyring {
    /// Seals `plaintext` for its place with the current key and a random nonce.
    ///
    /// # Panics
    /// Never in practice: AES-GCM refuses only messages above 64 GiB.
    pub fn seal(&self, aad: Aad<'_>, plaintext: &[u8]) -> Vec<u8> {
        let (id, key) = self.current();
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut out = Vec::with_capacity(HEADER_LEN + plaintext.len() + TAG_LEN);
        out.push(VERSION);
        out.extend_from_slice(&id.to_be_bytes());
        let bound = aad.encode(&out);
        out.extend_from_slice(&nonce);
        let payload = Payload { msg: plaintext, aad: &bound };
        let sealed = cipher(key).encrypt(&Nonce::from(nonce), payload).expect("the message is below 64 GiB");
        out.extend_from_slice(&sealed);
        out
    }

    /// Opens what [`Keyring::seal`] made for the same place, under whichever key it was.
    ///
    /// # Errors
    /// INTERNAL when the value is damaged, belongs to another place, or its key is not in the keyring.
    pub fn open(&self, aad: Aad<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        let refuse = |why: &str| Error::internal(format!("sealed value of {}.{}: {why}", aad.table, aad.column));
        if sealed.len() < HEADER_LEN + TAG_LEN || sealed[0] != VERSION {
            return Err(refuse("not a sealed value"));
        }
        let (header, rest) = sealed.split_at(1 + 4);
        let (nonce, message) = rest.split_at(NONCE_LEN);
        let id = header[1..].iter().fold(0_u32, |id, byte| (id << 8) | u32::from(*byte));
        let key = self.find(id).ok_or_else(|| refuse("its key is not in the keyring"))?;
        let nonce = <[u8; NONCE_LEN]>::try_from(nonce).map_err(|_| refuse("not a sealed value"))?;
        let payload = Payload { msg: message, aad: &aad.encode(header) };
        cipher(key).decrypt(&Nonce::from(nonce), payload).map_err(|_| refuse("does not open at this place"))
    }

    /// Seals a text; empty texts are sealed too, so that absence does not show.
    pub fn seal_text(&self, aad: Aad<'_>, text: &str) -> Vec<u8> {
        self.seal(aad, text.as_bytes())
    }

    /// Opens a sealed text.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub fn open_text(&self, aad: Aad<'_>, sealed: &[u8]) -> Result<String> {
        String::from_utf8(self.open(aad, sealed)?).map_err(|_| Error::internal("a sealed text is not UTF-8"))
    }

    /// Whether a sealed value should be sealed anew because a newer key is current.
    pub fn is_stale(&self, sealed: &[u8]) -> bool {
        let (id, _) = self.current();
        sealed.get(1..5) != Some(id.to_be_bytes().as_slice())
    }
}

fn cipher(key: &[u8; KEY_LEN]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{KeyConfig, Purpose};
    use super::*;

    fn key(id: u32, fill: &str) -> KeyConfig {
        use base64::Engine as _;
        let mut bytes = [7_u8; KEY_LEN];
        bytes[..fill.len()].copy_from_slice(fill.as_bytes());
        KeyConfig { id, secret: base64::engine::general_purpose::STANDARD.encode(bytes).into() }
    }

    fn ring() -> Keyring {
        Keyring::new(key(1, "one"), &[]).expect("a keyring")
    }

    fn place<'a>(texts: &'a [String; 3], id: &'a [u8]) -> Aad<'a> {
        Aad { table: &texts[0], column: &texts[1], area: &texts[2], id }
    }

    proptest! {
        #[test]
        fn a_sealed_value_opens_at_its_place_and_at_no_other(
            here in any::<[String; 3]>(), there in any::<[String; 3]>(),
            id in any::<Vec<u8>>(), other in any::<Vec<u8>>(), text in any::<String>(),
        ) {
            let ring = ring();
            let sealed = ring.seal_text(place(&here, &id), &text);
            prop_assert_eq!(ring.open_text(place(&here, &id), &sealed).ok(), Some(text));
            if here != there {
                prop_assert!(ring.open(place(&there, &id), &sealed).is_err());
            }
            if id != other {
                prop_assert!(ring.open(place(&here, &other), &sealed).is_err());
            }
        }

        #[test]
        fn text_never_moves_between_the_parts_of_a_place(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}", d in "[ab]{0,3}") {
            let ring = ring();
            let sealed = ring.seal(Aad { table: &a, column: &b, area: "x", id: b"1" }, b"text");
            let moved = Aad { table: &c, column: &d, area: "x", id: b"1" };
            prop_assert_eq!(ring.open(moved, &sealed).is_ok(), a == c && b == d);
        }

        #[test]
        fn any_changed_byte_is_found(text in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
            let ring = ring();
            let aad = Aad { table: "person", column: "name_enc", area: "xinhua", id: b"1" };
            let mut sealed = ring.seal(aad, &text);
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert!(ring.open(aad, &sealed).is_err());
        }

        #[test]
        fn after_a_rotation_old_rows_open_and_are_known_as_stale(text in any::<String>()) {
            let aad = Aad { table: "person", column: "name_enc", area: "xinhua", id: b"1" };
            let old = ring();
            let new = Keyring::new(key(2, "two"), &[key(1, "one")]).expect("a keyring");
            let sealed = old.seal_text(aad, &text);
            prop_assert_eq!(new.open_text(aad, &sealed).ok(), Some(text.clone()));
            prop_assert!(new.is_stale(&sealed));
            let again = new.seal_text(aad, &text);
            prop_assert!(!new.is_stale(&again));
            prop_assert!(old.open(aad, &again).is_err(), "an older keyring lacks the newer key");
            prop_assert_eq!(old.blind_index("c", "a", &text), new.blind_index("c", "a", &text));
            prop_assert_ne!(old.hmac(Purpose::PageToken, &[b"x"]), new.hmac(Purpose::PageToken, &[b"x"]));
        }
    }

    #[test]
    fn purposes_areas_and_part_borders_give_other_hashes() {
        let ring = ring();
        assert_ne!(ring.hmac(Purpose::RequestHash, &[b"x"]), ring.hmac(Purpose::PageToken, &[b"x"]));
        assert_ne!(ring.hmac(Purpose::PageToken, &[b"ab", b"c"]), ring.hmac(Purpose::PageToken, &[b"a", b"bc"]));
        assert_ne!(ring.pseudonym("xinhua", "p"), ring.pseudonym("xingqing", "p"));
        assert_ne!(ring.seal(Aad { table: "t", column: "c", area: "a", id: b"" }, b"").len(), 0);
    }

    #[test]
    fn a_subject_has_one_handle_within_a_decision_and_others_elsewhere_but_one_pseudonym() {
        let ring = ring();
        let handle = ring.handle("xinhua", "p", "d1");
        assert_eq!(handle, ring.handle("xinhua", "p", "d1"));
        let others = [("xinhua", "p", "d2"), ("xinhua", "q", "d1"), ("xingqing", "p", "d1"), ("xinhua", "pd", "1")];
        assert!(others.iter().all(|(area, subject, decision)| ring.handle(area, subject, decision) != handle));
        assert_eq!(ring.pseudonym("xinhua", "p"), ring.pseudonym("xinhua", "p"));
        assert!(!ring.pseudonym("xinhua", "p").starts_with(&format!("{handle:08x}")), "neither tells the other");
    }

    #[test]
    fn debug_shows_ids_only_and_bad_keys_are_refused() {
        assert_eq!(format!("{:?}", ring()), "Keyring { ids: [1] }");
        let config = key(1, "one");
        assert!(!format!("{config:?}").contains("b25l"), "{config:?}");
        assert!(Keyring::new(key(1, "a"), &[key(1, "b")]).is_err());
        assert!(Keyring::new(KeyConfig { id: 1, secret: "c2hvcnQ=".into() }, &[]).is_err());
        assert!(Keyring::new(KeyConfig { id: 1, secret: "A".repeat(43).into() }, &[]).is_err());
    }

    #[test]
    fn the_development_key_is_made_once_for_its_owner_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("dev/keys");
        let first = Keyring::generated(&file).expect("makes one");
        let again = Keyring::generated(&file).expect("reads it");
        assert_eq!(first.pseudonym("a", "b"), again.pseudonym("a", "b"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("chmod");
            assert!(Keyring::generated(&file).is_err(), "others may read it");
        }
    }
}
