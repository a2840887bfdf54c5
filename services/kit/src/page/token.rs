//! The text form of a page token: `base64url(version | tag | key parts)`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::KeyPart;
use crate::crypto::{Keyring, Purpose};

const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
/// A token of ours is far shorter; a longer text is not looked at.
const MAX_LEN: usize = 4096;

pub(super) fn write(keys: &Keyring, query: &[String], key: &[KeyPart]) -> String {
    let body = encode(key);
    let tag = keys.hmac(Purpose::PageToken, &parts(query, &body));
    let mut out = Vec::with_capacity(1 + TAG_LEN + body.len());
    out.push(VERSION);
    out.extend_from_slice(&tag[..TAG_LEN]);
    out.extend_from_slice(&body);
    URL_SAFE_NO_PAD.encode(out)
}

pub(super) fn read(keys: &Keyring, query: &[String], token: &str) -> Option<Vec<KeyPart>> {
    if token.len() > MAX_LEN {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (tag, body) = rest.split_at_checked(TAG_LEN)?;
    // Older keys too: a rotation must not end everybody's paging.
    let genuine = keys.hmac_each(Purpose::PageToken, &parts(query, body)).any(|own| same(&own[..TAG_LEN], tag));
    if *version != VERSION || !genuine { None } else { decode(body) }
}

fn parts<'a>(query: &'a [String], body: &'a [u8]) -> Vec<&'a [u8]> {
    query.iter().map(|part| part.as_bytes()).chain([body]).collect()
}

/// Compares without telling by its duration where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y)) == 0
}

fn encode(key: &[KeyPart]) -> Vec<u8> {
    let mut out = Vec::new();
    for part in key {
        match part {
            KeyPart::Int(number) => {
                out.push(b'i');
                out.extend_from_slice(&number.to_be_bytes());
            }
            KeyPart::Id(id) => {
                out.push(b'u');
                out.extend_from_slice(id.as_bytes());
            }
            KeyPart::Text(text) => {
                out.push(b't');
                out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
        }
    }
    out
}

fn decode(mut body: &[u8]) -> Option<Vec<KeyPart>> {
    let mut key = Vec::new();
    while let Some((kind, rest)) = body.split_first() {
        body = rest;
        let mut take = |len: usize| -> Option<&[u8]> {
            let (part, rest) = body.split_at_checked(len)?;
            body = rest;
            Some(part)
        };
        key.push(match kind {
            b'i' => KeyPart::Int(i64::from_be_bytes(take(8)?.try_into().ok()?)),
            b'u' => KeyPart::Id(uuid::Uuid::from_slice(take(16)?).ok()?),
            b't' => {
                let len = u16::from_be_bytes(take(2)?.try_into().ok()?);
                KeyPart::Text(std::str::from_utf8(take(usize::from(len))?).ok()?.to_owned())
            }
            _ => return None,
        });
    }
    Some(key)
}
