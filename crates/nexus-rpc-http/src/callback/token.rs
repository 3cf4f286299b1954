use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// Signed tokens for callbacks: they carry a text of yours, such as an order number, until a time of yours.
///
/// Put one into the query of the callback URL or into a callback header when you start an operation; a [`CompletionReceiver`] takes no
/// delivery without it. It is signed (HMAC-SHA-256), not encrypted: everybody can read the text. All its characters may stand in a URL.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use nexus_rpc_http::callback::CallbackTokens;
///
/// let tokens = CallbackTokens::new(b"32 random bytes from your secrets")?;
/// let token = tokens.sign("order-17", SystemTime::now() + Duration::from_secs(3600));
/// assert_eq!(tokens.verify(&token)?, "order-17");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`CompletionReceiver`]: super::CompletionReceiver
#[derive(Clone)]
pub struct CallbackTokens {
    current: Hmac<Sha256>,
    previous: Vec<Hmac<Sha256>>,
}

/// Signed with the rest, so that a later form cannot be taken for this one.
const VERSION: &str = "n1";
const EXPIRY_LENGTH: usize = 8;

/// A key that is too short to be safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "key has {length} bytes, at least {} are needed",
    CallbackTokens::MIN_KEY_LENGTH
)]
pub struct WeakKey {
    length: usize,
}

/// A token that does not authorise anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCallbackToken {
    /// It is not of the form that this library makes.
    #[error("callback token is malformed")]
    Malformed,
    /// It was not signed with a key of these, or was changed since.
    #[error("callback token has a wrong signature")]
    Signature,
    /// Its time is over.
    #[error("callback token has expired")]
    Expired,
}

impl CallbackTokens {
    /// Shortest key in bytes: the length of the signature.
    pub const MIN_KEY_LENGTH: usize = 32;

    /// Signs and verifies with `key`, which should be random and is for this alone.
    pub fn new(key: &[u8]) -> Result<Self, WeakKey> {
        Ok(Self {
            current: mac(key)?,
            previous: Vec::new(),
        })
    }

    /// Signs and verifies with a random key that nobody else has: for callbacks to this process alone.
    #[must_use]
    pub fn random() -> Self {
        // 122 bits each are random.
        let key = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()].map(Uuid::into_bytes);
        match Self::new(key.as_flattened()) {
            Ok(tokens) => tokens,
            Err(WeakKey { .. }) => unreachable!("48 bytes are enough"),
        }
    }

    /// Verifies tokens of `key` as well, which was the key before.
    pub fn with_previous_key(mut self, key: &[u8]) -> Result<Self, WeakKey> {
        self.previous.push(mac(key)?);
        Ok(self)
    }

    /// A token that carries `payload` until `expires` (full seconds count).
    #[must_use]
    pub fn sign(&self, payload: &str, expires: SystemTime) -> String {
        let expiry = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut bytes = expiry.as_secs().to_be_bytes().to_vec();
        bytes.extend_from_slice(payload.as_bytes());
        let signed = format!("{VERSION}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
        let signature = self
            .current
            .clone()
            .chain_update(signed.as_bytes())
            .finalize()
            .into_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// What the token carries, if its signature is right and its time is not over.
    pub fn verify(&self, token: &str) -> Result<String, InvalidCallbackToken> {
        self.verify_at(token, SystemTime::now())
    }

    fn verify_at(&self, token: &str, now: SystemTime) -> Result<String, InvalidCallbackToken> {
        let malformed = InvalidCallbackToken::Malformed;
        let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
        let payload = signed
            .strip_prefix(VERSION)
            .and_then(|rest| rest.strip_prefix('.'))
            .ok_or(malformed)?;
        let signature = BASE64_URL_SAFE_NO_PAD
            .decode(signature)
            .map_err(|_| malformed)?;
        // `verify_slice` takes the same time wherever the first difference is.
        let right = std::iter::once(&self.current)
            .chain(&self.previous)
            .any(|mac| {
                let mac = mac.clone().chain_update(signed.as_bytes());
                mac.verify_slice(&signature).is_ok()
            });
        if !right {
            return Err(InvalidCallbackToken::Signature);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| malformed)?;
        let (expiry, payload) = bytes
            .split_first_chunk::<EXPIRY_LENGTH>()
            .ok_or(malformed)?;
        let expiry = Duration::from_secs(u64::from_be_bytes(*expiry));
        if now.duration_since(UNIX_EPOCH).unwrap_or_default() >= expiry {
            return Err(InvalidCallbackToken::Expired);
        }
        String::from_utf8(payload.to_vec()).map_err(|_| malformed)
    }
}

fn mac(key: &[u8]) -> Result<Hmac<Sha256>, WeakKey> {
    if key.len() < CallbackTokens::MIN_KEY_LENGTH {
        return Err(WeakKey { length: key.len() });
    }
    // A key of any length will do for HMAC.
    Hmac::new_from_slice(key).map_err(|_| WeakKey { length: key.len() })
}

impl fmt::Debug for CallbackTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackTokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(key: u8) -> CallbackTokens {
        CallbackTokens::new(&[key; 32]).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn tokens_end_in_time() {
        let token = tokens(1).sign("x", at(100));
        assert_eq!(tokens(1).verify_at(&token, at(99)).unwrap(), "x");
        assert_eq!(
            tokens(1).verify_at(&token, at(100)),
            Err(InvalidCallbackToken::Expired)
        );
        assert_eq!(tokens(1).verify(&token), Err(InvalidCallbackToken::Expired));
    }

    #[test]
    fn random_keys_differ() {
        let (a, b) = (CallbackTokens::random(), CallbackTokens::random());
        let token = a.sign("x", at(100));
        assert_eq!(a.verify_at(&token, at(0)).unwrap(), "x");
        assert_eq!(
            b.verify_at(&token, at(0)),
            Err(InvalidCallbackToken::Signature)
        );
    }

    #[test]
    fn keys_can_be_changed() {
        let token = tokens(1).sign("x", at(100));
        let new = tokens(2);
        assert_eq!(
            new.verify_at(&token, at(0)),
            Err(InvalidCallbackToken::Signature)
        );
        let both = new.with_previous_key(&[1; 32]).unwrap();
        assert_eq!(both.verify_at(&token, at(0)).unwrap(), "x");
        assert_eq!(
            CallbackTokens::new(&[1; 31]).unwrap_err().to_string(),
            "key has 31 bytes, at least 32 are needed"
        );
    }

    #[test]
    fn the_form_stays() {
        // Made with Python's hmac, so that tokens outlive this code.
        assert_eq!(tokens(1).sign("order-17", at(2_000_000_000)), KNOWN);
    }

    const KNOWN: &str = "n1.AAAAAHc1lABvcmRlci0xNw.5bygIHxXp9Ao2GWEqZZN2eJHVwUlKZNOEYIHx1Cf0oA";

    proptest! {
        #[test]
        fn texts_survive(payload in ".{0,40}", seconds in 1u64..1 << 40) {
            let token = tokens(1).sign(&payload, at(seconds));
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)));
            prop_assert_eq!(tokens(1).verify_at(&token, at(seconds - 1)).unwrap(), payload);
        }

        #[test]
        fn no_change_goes_unseen(at_byte in 0usize..100, to in "[A-Za-z0-9._-]") {
            let token = tokens(1).sign("some payload", at(100));
            let at_byte = at_byte % token.len();
            let mut changed = token.clone();
            changed.replace_range(at_byte..=at_byte, &to);
            prop_assert_eq!(tokens(1).verify_at(&changed, at(0)).is_ok(), changed == token);
        }

        #[test]
        fn never_panics(token in ".{0,60}", near in "n1\\.[A-Za-z_-]{0,20}\\.[A-Za-z_-]{0,44}") {
            prop_assert!(tokens(1).verify(&token).is_err());
            prop_assert!(tokens(1).verify(&near).is_err());
        }
    }
}
