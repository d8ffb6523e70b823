//! May this address be connected to? An address or a URL with a literal host comes in, `Ok` or a reason goes out. Pure.
//!
//! Anyone may name a callback or a topic, so without a guard anyone could make the hub send requests to the machines
//! behind it. Public unicast addresses are admitted, and what the operator's allow list adds. Host names are not judged
//! here but by the addresses they resolve to (`resolve`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use url::{Host, Url};

/// Decides which addresses the hub connects to. There is one for callbacks and one for topics, each with its own list.
#[derive(Debug, Clone)]
pub struct Guard {
    allow: Vec<IpNet>,
    setting: &'static str,
}

/// Why an address is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} {}; the setting {setting} would allow it", reason(.embedded, .class))]
pub struct Refused {
    /// The address as it was given or resolved.
    pub address: IpAddr,
    /// The IPv4 address inside `address` that was the reason, when it was not `address` itself.
    pub embedded: Option<Ipv4Addr>,
    /// What kind of address it is, with its article: "a loopback address".
    pub class: &'static str,
    /// The key of the allow list that could admit it.
    pub setting: &'static str,
}

impl Guard {
    /// The guard of callbacks; `allow` is `network.callbacks_allow`, the networks admitted beyond public addresses.
    pub fn callbacks(allow: Vec<IpNet>) -> Guard {
        Guard {
            allow,
            setting: "network.callbacks_allow",
        }
    }

    /// The guard of topics; `allow` is `network.topics_allow`, the networks admitted beyond public addresses.
    pub fn topics(allow: Vec<IpNet>) -> Guard {
        Guard {
            allow,
            setting: "network.topics_allow",
        }
    }

    /// Admits public unicast addresses and those on the allow list. An address that carries an IPv4 address (mapped,
    /// NAT64, 6to4, ISATAP) is admitted only if that one is public too.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        // A mapped address reaches the same host as the plain one, so a list entry for either form counts.
        let canonical = address.to_canonical();
        if self
            .allow
            .iter()
            .any(|net| net.contains(&address) || net.contains(&canonical))
        {
            return Ok(());
        }
        let verdict = match address {
            IpAddr::V4(address) => v4_class(address).map(|class| (None, class)),
            IpAddr::V6(address) => v6_class(address),
        };
        match verdict {
            None => Ok(()),
            Some((embedded, class)) => Err(Refused {
                address,
                embedded,
                class,
                setting: self.setting,
            }),
        }
    }

    /// Checks a URL whose host is a literal address, in any spelling that clients accept (`0x7f.1`, `2130706433`,
    /// `[::1]`). A host name passes: its addresses are checked when it is resolved.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(address.into()),
            Some(Host::Ipv6(address)) => self.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }
}

fn reason(embedded: &Option<Ipv4Addr>, class: &str) -> String {
    match embedded {
        None => format!("is {class}"),
        Some(v4) => format!("stands for {v4}, {class}"),
    }
}

/// The IPv4 networks that are not public unicast, by IANA's special-purpose registry; the first match names the class.
const SPECIAL_V4: [(Ipv4Net, &str); 18] = [
    (v4([255, 255, 255, 255], 32), "the broadcast address"),
    (v4([169, 254, 169, 254], 32), "a cloud metadata address"),
    // Azure's host agent: inside public space, yet answered by the machine's own hypervisor.
    (v4([168, 63, 129, 16], 32), "a cloud metadata address"),
    (v4([0, 0, 0, 0], 8), "an unspecified address"),
    (v4([10, 0, 0, 0], 8), "a private address"),
    (v4([100, 64, 0, 0], 10), "a carrier-grade NAT address"),
    (v4([127, 0, 0, 0], 8), "a loopback address"),
    (v4([169, 254, 0, 0], 16), "a link-local address"),
    (v4([172, 16, 0, 0], 12), "a private address"),
    (v4([192, 0, 0, 0], 24), "an IETF protocol address"),
    (v4([192, 0, 2, 0], 24), "a documentation address"),
    (v4([192, 88, 99, 0], 24), "a 6to4 relay address"),
    (v4([192, 168, 0, 0], 16), "a private address"),
    (v4([198, 18, 0, 0], 15), "a benchmarking address"),
    (v4([198, 51, 100, 0], 24), "a documentation address"),
    (v4([203, 0, 113, 0], 24), "a documentation address"),
    (v4([224, 0, 0, 0], 4), "a multicast address"),
    (v4([240, 0, 0, 0], 4), "a reserved address"),
];

/// The IPv6 networks that are not public unicast, whatever they embed; the first match names the class.
const SPECIAL_V6: [(Ipv6Net, &str); 16] = [
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "the unspecified address"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "a loopback address"),
    (
        v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
        "a cloud metadata address",
    ),
    (
        v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        "a local NAT64 address",
    ),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "a discard address"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32), "a Teredo address"),
    (
        v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48),
        "a benchmarking address",
    ),
    (
        v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28),
        "an ORCHID address",
    ),
    (
        v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28),
        "an ORCHID address",
    ),
    (
        v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        "an IETF protocol address",
    ),
    (
        v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        "a documentation address",
    ),
    (
        v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
        "a documentation address",
    ),
    (
        v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        "a unique local address",
    ),
    (
        v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
        "a link-local address",
    ),
    (
        v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
        "a site-local address",
    ),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "a multicast address"),
];

const MAPPED: Ipv6Net = v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96);
const COMPATIBLE: Ipv6Net = v6([0, 0, 0, 0, 0, 0, 0, 0], 96);
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16);
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b, c, d, e, f, g, h]: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix)
}

fn v4_class(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL_V4
        .iter()
        .find(|(net, _)| net.contains(&address))
        .map(|(_, class)| *class)
}

fn v6_class(address: Ipv6Addr) -> Option<(Option<Ipv4Addr>, &'static str)> {
    if let Some((_, class)) = SPECIAL_V6.iter().find(|(net, _)| net.contains(&address)) {
        return Some((None, class));
    }
    if let Some(v4) = embedded_v4(address)
        && let Some(class) = v4_class(v4)
    {
        return Some((Some(v4), class));
    }
    let reachable = [GLOBAL_UNICAST, MAPPED, NAT64]
        .iter()
        .any(|net| net.contains(&address));
    (!reachable).then_some((None, "a reserved address"))
}

/// The IPv4 address that a translator or a tunnel would take out of `address`.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [_, a, b, _, _, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    if SIX_TO_FOUR.contains(&address) {
        return Some(join(a, b));
    }
    // ISATAP may sit in any /64; the two bits that its interface identifier may set say "universal" and "group".
    let isatap = address.segments()[4] & !0x0300 == 0 && f == 0x5efe;
    let in_last_bits = isatap
        || [MAPPED, COMPATIBLE, NAT64]
            .iter()
            .any(|net| net.contains(&address));
    in_last_bits.then(|| join(g, h))
}

#[cfg(test)]
mod tests;
