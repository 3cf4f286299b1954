//! Which addresses may be called.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt, future::BoxFuture};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use nexus_rpc::content::BoxError;
use tower_service::Service;

/// Says which addresses may be connected to, so that a URL of somebody else's leads nowhere it should not (server-side request forgery).
///
/// It is asked about addresses, after names were resolved: a name that resolves to something forbidden is of no use.
#[derive(Clone)]
pub struct AddressPolicy(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

/// No address is left that may be connected to.
#[derive(Debug, thiserror::Error)]
#[error("{host:?} has no address that may be called")]
pub(crate) struct ForbiddenAddress {
    pub(crate) host: String,
}

impl AddressPolicy {
    /// Every address.
    #[must_use]
    pub fn any() -> Self {
        Self::custom(|_| true)
    }

    /// Every address but those that are never a receiver of callbacks: unspecified, multicast, broadcast, link-local, and those under
    /// which clouds give credentials to their machines.
    #[must_use]
    pub fn cautious() -> Self {
        Self::custom(|address| !is_special(address))
    }

    /// Addresses of the public internet alone: neither those of [`cautious`](Self::cautious) nor loopback, private and reserved ones.
    #[must_use]
    pub fn public() -> Self {
        Self::custom(|address| !is_special(address) && !is_internal(address))
    }

    /// The addresses for which `allow` is true. An IPv4 address inside an IPv6 address is given as the former.
    pub fn custom(allow: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allow))
    }

    /// Whether `address` may be called.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        (self.0)(unwrap(address))
    }

    /// Whether the host of a URL may be called as far as can be said before it is resolved: a name may, an address must be allowed.
    #[must_use]
    pub fn allows_host(&self, host: &str) -> bool {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        match bare.unwrap_or(host).parse() {
            Ok(address) => self.allows(address),
            Err(_) => true,
        }
    }
}

impl Default for AddressPolicy {
    /// [`AddressPolicy::cautious`].
    fn default() -> Self {
        Self::cautious()
    }
}

impl fmt::Debug for AddressPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressPolicy").finish_non_exhaustive()
    }
}

/// The IPv4 address that an IPv6 address stands for: mapped (RFC 4291), translated (RFC 6052), tunnelled (RFC 3056).
fn unwrap(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            inner(high, low)
        }
        [0x2002, high, low, ..] => inner(high, low),
        // Compatible addresses are long out of use; `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => inner(high, low),
        _ => address,
    }
}

/// Where no receiver is: the addresses that `cautious` refuses.
fn is_special(address: IpAddr) -> bool {
    /// Where Alibaba's machines ask about themselves; the others use link-local addresses.
    const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    /// Where Amazon's do over IPv6.
    const AMAZON: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254);
    /// Where Google's do over IPv6.
    const GOOGLE: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(v4) => {
            v4.octets()[0] == 0
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_link_local()
                || v4 == ALIBABA
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6 == AMAZON
                || v6 == GOOGLE
        }
    }
}

fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_documentation()
                // Shared, protocol assignments, benchmarks, reserved (RFC 6890).
                || (a == 100 && (64..128).contains(&b))
                || (a, b, c) == (192, 0, 0)
                || (a == 198 && (18..20).contains(&b))
                || a >= 240
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            v6.is_loopback()
                || v6.is_unique_local()
                // Site-local, documentation, and all that is not yet given out.
                || (first & 0xffc0) == 0xfec0
                || v6.segments()[..2] == [0x2001, 0x0db8]
                || (first & 0xe000) != 0x2000
        }
    }
}

/// Resolves names, and leaves out what the policy does not allow.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    resolver: GaiResolver,
    policy: AddressPolicy,
}

impl GuardedResolver {
    pub(super) fn new(policy: AddressPolicy) -> Self {
        Self {
            resolver: GaiResolver::new(),
            policy,
        }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.resolver.poll_ready(cx).map_err(BoxError::from)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let host = name.as_str().to_owned();
        let policy = self.policy.clone();
        let resolved = self.resolver.call(name);
        async move {
            let allowed: Vec<_> = resolved
                .await?
                .filter(|address| policy.allows(address.ip()))
                .collect();
            if allowed.is_empty() {
                return Err(ForbiddenAddress { host }.into());
            }
            Ok(allowed.into_iter())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_refused_in_every_disguise() {
        let policy = AddressPolicy::cautious();
        for host in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "224.0.0.1",
            "255.255.255.255",
            "[::]",
            "[fe80::1]",
            "[ff02::1]",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a9fe:a9fe::1]",
            "[::169.254.169.254]",
        ] {
            assert!(!policy.allows_host(host), "{host}");
            assert!(AddressPolicy::any().allows_host(host), "{host}");
        }
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "1.1.1.1",
            "a.example",
            "2130706433",
        ] {
            assert!(policy.allows_host(host), "{host}");
        }
    }

    #[test]
    fn public_addresses_are_outside() {
        let policy = AddressPolicy::public();
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "240.0.0.1",
            "[::1]",
            "[fc00::1]",
            "[::ffff:10.0.0.1]",
            "[2001:db8::1]",
            "169.254.169.254",
        ] {
            assert!(!policy.allows_host(host), "{host}");
        }
        for host in ["1.1.1.1", "[2606:4700::1111]", "100.128.0.1"] {
            assert!(policy.allows_host(host), "{host}");
        }
    }

    #[tokio::test]
    async fn names_are_judged_by_what_they_resolve_to() {
        let resolve = async |policy: AddressPolicy, name: &str| {
            GuardedResolver::new(policy)
                .call(name.parse().unwrap())
                .await
        };
        let loopback = resolve(AddressPolicy::cautious(), "localhost")
            .await
            .unwrap();
        assert!(
            loopback
                .into_iter()
                .all(|address| address.ip().is_loopback())
        );
        // The resolver of the system reads it as 127.0.0.1.
        for name in ["localhost", "2130706433"] {
            let error = resolve(AddressPolicy::public(), name).await.unwrap_err();
            assert!(error.is::<ForbiddenAddress>(), "{error}");
        }
    }
}
