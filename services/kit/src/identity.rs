//! Who is calling: tokens of people and systems, tokens of services, and the signed context that a service passes on.
//!
//! Tokens say who, never what. Ed25519 throughout; verified tokens are cached by their hash for at most 60 s.
//! Token times are the machine's, not the suite's clock: a manual clock must not revive a token.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use linli_kernel::{Clock as _, SystemClock};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::call::Caller;
use crate::error::{Error, ErrorCode, Result};

/// Audience of every token.
const AUDIENCE: &str = "linli";
/// Key id of the issuer of people's and systems' tokens.
const ISSUER_KEY: &str = "issuer";
/// Life of a service's own token.
const SERVICE_TOKEN_SECS: i64 = 300;
/// Life of a signed context: one request.
const CONTEXT_SECS: i64 = 60;

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ctx: Option<PassedContext>,
}

/// What a service passes on about the request that it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedContext {
    /// Subject on whose request the service acts.
    pub actor: Option<String>,
    /// What caused the call, such as the id of an event.
    pub cause: String,
}

/// A private key that signs tokens under one key id.
pub struct Signer {
    key_id: String,
    key: EncodingKey,
}

impl Signer {
    /// A signer from a PKCS#8 PEM.
    ///
    /// # Errors
    /// When the PEM holds no Ed25519 private key.
    pub fn from_pem(key_id: impl Into<String>, pem: &str) -> Result<Self> {
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).map_err(Error::internal)?;
        Ok(Self { key_id: key_id.into(), key })
    }

    /// A token for a person or system.
    ///
    /// # Errors
    /// When signing fails.
    pub fn issue(&self, subject: &str, life: Duration) -> Result<String> {
        self.sign(subject, i64::try_from(life.as_secs()).unwrap_or(i64::MAX / 2), None)
    }

    fn sign(&self, subject: &str, life_secs: i64, ctx: Option<PassedContext>) -> Result<String> {
        let now = SystemClock.now().secs();
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.key_id.clone());
        let claims = Claims { sub: subject.to_owned(), aud: AUDIENCE.to_owned(), iat: now, exp: now + life_secs, ctx };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(Error::internal)
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// A service's own identity: signs its token and the contexts that it passes on.
#[derive(Debug)]
pub struct ServiceIdentity {
    service: &'static str,
    signer: Signer,
    token: Mutex<Option<(Arc<str>, i64)>>,
}

impl ServiceIdentity {
    /// The identity of `service`, from its PKCS#8 PEM.
    ///
    /// # Errors
    /// When the PEM holds no Ed25519 private key.
    pub fn from_pem(service: &'static str, pem: &str) -> Result<Self> {
        Ok(Self { service, signer: Signer::from_pem(service_key_id(service), pem)?, token: Mutex::new(None) })
    }

    /// The service.
    pub fn service(&self) -> &'static str {
        self.service
    }

    /// The present token; renewed when half of its life is over.
    ///
    /// # Errors
    /// When signing fails.
    pub fn token(&self) -> Result<Arc<str>> {
        let now = SystemClock.now().secs();
        let mut cached = self.token.lock();
        if let Some((token, renew_at)) = cached.as_ref()
            && now < *renew_at
        {
            return Ok(token.clone());
        }
        let token: Arc<str> = self.signer.sign(&format!("services/{}", self.service), SERVICE_TOKEN_SECS, None)?.into();
        *cached = Some((token.clone(), now + SERVICE_TOKEN_SECS / 2));
        Ok(token)
    }

    /// A signed context for one call.
    ///
    /// # Errors
    /// When signing fails.
    pub fn context(&self, context: PassedContext) -> Result<String> {
        self.signer.sign(&format!("services/{}", self.service), CONTEXT_SECS, Some(context))
    }
}

fn service_key_id(service: &str) -> String {
    format!("service-{service}")
}

/// Checks tokens against the known public keys. The one place that decides who a caller is.
pub struct TokenVerifier {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    verified: moka::sync::Cache<[u8; 32], Arc<Verified>>,
}

#[derive(Debug)]
struct Verified {
    subject: String,
    expires_secs: i64,
    service: Option<String>,
    context: Option<PassedContext>,
}

impl TokenVerifier {
    /// A verifier for the issuer's public key and those of the services, as PEM.
    ///
    /// # Errors
    /// When a PEM holds no Ed25519 public key.
    pub fn new(issuer_pem: &str, service_pems: &[(String, String)]) -> Result<Self> {
        let mut keys = HashMap::new();
        keys.insert(ISSUER_KEY.to_owned(), DecodingKey::from_ed_pem(issuer_pem.as_bytes()).map_err(Error::internal)?);
        for (service, pem) in service_pems {
            keys.insert(service_key_id(service), DecodingKey::from_ed_pem(pem.as_bytes()).map_err(Error::internal)?);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        validation.leeway = 5;
        let verified = moka::sync::Cache::builder().max_capacity(20_000).time_to_live(Duration::from_secs(60)).build();
        Ok(Self { keys, validation, verified })
    }

    /// Who sent `token`, with the context it passes on when it is a service.
    ///
    /// # Errors
    /// UNAUTHENTICATED when the token is not valid or expired.
    pub fn caller(&self, token: &str, context: Option<&str>) -> Result<(Caller, Option<PassedContext>)> {
        let verified = self.verify(token, true)?;
        let Some(service) = &verified.service else {
            return Ok((Caller::Subject(verified.subject.clone()), None));
        };
        let passed = match context {
            None => None,
            Some(text) => {
                let signed = self.verify(text, false)?;
                // The context must come from the very service that calls.
                if signed.service.as_ref() != Some(service) {
                    return Err(unauthenticated());
                }
                signed.context.clone()
            }
        };
        let actor = passed.as_ref().and_then(|p| p.actor.clone());
        Ok((Caller::Service { service: service.clone(), actor }, passed))
    }

    fn verify(&self, token: &str, cache: bool) -> Result<Arc<Verified>> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if cache && let Some(found) = self.verified.get(&hash) {
            return if found.expires_secs > SystemClock.now().secs() {
                Ok(found)
            } else {
                Err(Error::new(ErrorCode::Unauthenticated, "TOKEN_EXPIRED"))
            };
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| unauthenticated())?;
        let key_id = header.kid.unwrap_or_default();
        let key = self.keys.get(&key_id).ok_or_else(unauthenticated)?;
        let data = jsonwebtoken::decode::<Claims>(token, key, &self.validation).map_err(|e| match e.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
                Error::new(ErrorCode::Unauthenticated, "TOKEN_EXPIRED")
            }
            _ => unauthenticated(),
        })?;
        let claims = data.claims;
        let service = match key_id.strip_prefix("service-") {
            // A service's key vouches for that service only, and the issuer's for no service.
            Some(service) if claims.sub == format!("services/{service}") => Some(service.to_owned()),
            Some(_) => return Err(unauthenticated()),
            None if claims.sub.starts_with("services/") => return Err(unauthenticated()),
            None => None,
        };
        let verified =
            Arc::new(Verified { subject: claims.sub, expires_secs: claims.exp, service, context: claims.ctx });
        if cache {
            self.verified.insert(hash, verified.clone());
        }
        Ok(verified)
    }
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

fn unauthenticated() -> Error {
    Error::new(ErrorCode::Unauthenticated, "UNAUTHENTICATED")
}

/// Key id under which the issuer of people's tokens signs.
pub fn issuer_key_id() -> &'static str {
    ISSUER_KEY
}

/// A fresh Ed25519 key pair as PKCS#8 and SPKI PEM: `(private, public)`.
///
/// # Errors
/// When encoding fails.
pub fn generate_key_pair() -> Result<(String, String)> {
    use ed25519_dalek::pkcs8::EncodePrivateKey as _;
    use ed25519_dalek::pkcs8::spki::EncodePublicKey as _;
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
    let key = ed25519_dalek::SigningKey::from_bytes(&rand::random());
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|e| Error::internal(e.to_string()))?.to_string();
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|e| Error::internal(e.to_string()))?;
    Ok((private, public))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite() -> (Signer, ServiceIdentity, TokenVerifier) {
        let (issuer, issuer_public) = generate_key_pair().expect("a key pair");
        let (booking, booking_public) = generate_key_pair().expect("a key pair");
        let verifier =
            TokenVerifier::new(&issuer_public, &[("booking".to_owned(), booking_public)]).expect("public keys");
        (
            Signer::from_pem(issuer_key_id(), &issuer).expect("a private key"),
            ServiceIdentity::from_pem("booking", &booking).expect("a private key"),
            verifier,
        )
    }

    #[test]
    fn a_persons_token_names_the_person_and_nothing_else() {
        let (issuer, _, verifier) = suite();
        let token = issuer.issue("areas/xinhua/people/per-1", Duration::from_secs(60)).expect("a token");
        let (caller, passed) = verifier.caller(&token, None).expect("a valid token");
        assert_eq!(caller, Caller::Subject("areas/xinhua/people/per-1".into()));
        assert_eq!(passed, None);
    }

    #[test]
    fn the_issuer_cannot_make_somebody_a_service() {
        let (issuer, _, verifier) = suite();
        let token = issuer.issue("services/booking", Duration::from_secs(60)).expect("a token");
        assert!(verifier.caller(&token, None).is_err());
    }

    #[test]
    fn a_context_counts_only_beside_a_token_of_the_same_service() {
        let (issuer, booking, verifier) = suite();
        let context = booking
            .context(PassedContext { actor: Some("areas/xinhua/people/per-1".into()), cause: String::new() })
            .expect("a context");
        let token = booking.token().expect("a token");
        let (caller, _) = verifier.caller(&token, Some(&context)).expect("valid");
        assert_eq!(caller.subject(), Some("areas/xinhua/people/per-1"));
        let person = issuer.issue("areas/xinhua/people/per-2", Duration::from_secs(60)).expect("a token");
        let (caller, _) = verifier.caller(&person, Some(&context)).expect("valid");
        assert_eq!(caller.subject(), Some("areas/xinhua/people/per-2"), "a person's token passes no context on");
    }

    #[test]
    fn an_expired_token_is_named_as_such() {
        let (issuer, _, verifier) = suite();
        let token = issuer.sign("systems/x", -60, None).expect("a token");
        let error = verifier.caller(&token, None).expect_err("expired");
        assert_eq!(error.reason(), "TOKEN_EXPIRED");
    }
}
