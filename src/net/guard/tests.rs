//! What the guard admits and refuses, by example and by property.

use super::*;
use proptest::prelude::*;

fn closed() -> Guard {
    Guard::callbacks(vec![])
}

fn open_to(nets: &[&str]) -> Guard {
    Guard::topics(nets.iter().map(|net| net.parse().unwrap()).collect())
}

fn class_of(address: &str) -> &'static str {
    closed()
        .check(address.parse().unwrap())
        .expect_err(address)
        .class
}

#[test]
fn names_the_class_of_each_special_address() {
    for (address, class) in [
        ("0.0.0.0", "an unspecified address"),
        ("0.1.2.3", "an unspecified address"),
        ("10.0.0.1", "a private address"),
        ("100.64.0.1", "a carrier-grade NAT address"),
        ("100.127.255.255", "a carrier-grade NAT address"),
        ("127.0.0.1", "a loopback address"),
        ("127.255.255.254", "a loopback address"),
        ("168.63.129.16", "a cloud metadata address"),
        ("169.254.1.1", "a link-local address"),
        ("169.254.169.254", "a cloud metadata address"),
        ("172.31.255.255", "a private address"),
        ("192.0.0.192", "an IETF protocol address"),
        ("192.0.2.1", "a documentation address"),
        ("192.168.1.1", "a private address"),
        ("198.19.255.255", "a benchmarking address"),
        ("224.0.0.1", "a multicast address"),
        ("239.255.255.255", "a multicast address"),
        ("240.0.0.1", "a reserved address"),
        ("255.255.255.255", "the broadcast address"),
        ("::", "the unspecified address"),
        ("::1", "a loopback address"),
        ("::2", "an unspecified address"),
        ("::8.8.8.8", "a reserved address"),
        ("64:ff9b:1::808:808", "a local NAT64 address"),
        ("100::1", "a discard address"),
        ("2001::1", "a Teredo address"),
        ("2001:10::1", "an ORCHID address"),
        ("2001:2f::1", "an ORCHID address"),
        ("2001:db8::1", "a documentation address"),
        ("3fff:fff::1", "a documentation address"),
        ("4000::1", "a reserved address"),
        ("fc00::1", "a unique local address"),
        ("fd00:ec2::254", "a cloud metadata address"),
        ("fe80::1", "a link-local address"),
        ("fec0::1", "a site-local address"),
        ("ff02::1", "a multicast address"),
    ] {
        assert_eq!(class_of(address), class, "{address}");
    }
}

#[test]
fn admits_public_addresses_at_the_edges_of_special_ones() {
    for address in [
        "1.0.0.0",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "2606:4700::1",
        "2001:200::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2606:4700::5efe:808:808",
    ] {
        assert_eq!(
            closed().check(address.parse().unwrap()),
            Ok(()),
            "{address}"
        );
    }
}

#[test]
fn says_what_it_is_and_which_setting_would_allow_it() {
    let refused = |address: &str| {
        closed()
            .check(address.parse().unwrap())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused("127.0.0.1"),
        "127.0.0.1 is a loopback address; the setting network.callbacks_allow would allow it"
    );
    assert_eq!(
        refused("64:ff9b::a00:1"),
        "64:ff9b::a00:1 stands for 10.0.0.1, a private address; the setting network.callbacks_allow would allow it"
    );
}

#[test]
fn the_allow_list_admits_its_networks_and_nothing_else() {
    let guard = open_to(&["127.0.0.0/8", "::1/128", "10.1.0.0/16"]);
    for address in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "::1",
        "10.1.2.3",
        "8.8.8.8",
    ] {
        assert_eq!(guard.check(address.parse().unwrap()), Ok(()), "{address}");
    }
    for address in [
        "10.2.0.1",
        "64:ff9b::10.1.2.3",
        "2002:a01:203::1",
        "::2",
        "169.254.169.254",
    ] {
        assert_eq!(
            guard.check(address.parse().unwrap()).unwrap_err().setting,
            "network.topics_allow",
            "{address}"
        );
    }
}

#[test]
fn sees_through_every_spelling_of_a_literal_host() {
    for url in [
        "http://127.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://%31%32%37.0.0.1/",
        "http://１２７.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "https://user@[0:0:0:0:0:0:0:1]:8443/",
        "http://0/",
    ] {
        let url = Url::parse(url).unwrap();
        assert!(closed().check_url(&url).is_err(), "{url}");
    }
    for url in [
        "http://localhost/",
        "http://example.com/",
        "http://8.8.8.8/",
        "http://[2606:4700::1]/",
    ] {
        assert_eq!(
            closed().check_url(&Url::parse(url).unwrap()),
            Ok(()),
            "{url}"
        );
    }
}

/// Every way in which an IPv6 address can carry an IPv4 one, beyond those that are refused as a whole.
fn embeddings(v4: Ipv4Addr, prefix: [u16; 4]) -> Vec<Ipv6Addr> {
    let bits = v4.to_bits();
    let (high, low) = ((bits >> 16) as u16, bits as u16);
    let [p, q, r, s] = prefix;
    vec![
        Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
        Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
        Ipv6Addr::new(0x2002, high, low, r, p, q, r, s),
        Ipv6Addr::new(p, q, r, s, 0, 0x5efe, high, low),
        Ipv6Addr::new(p, q, r, s, 0x0200, 0x5efe, high, low),
    ]
}

fn special_v4() -> impl Strategy<Value = Ipv4Addr> {
    (0..SPECIAL_V4.len(), any::<u32>()).prop_map(|(index, host)| {
        let (net, _) = SPECIAL_V4[index];
        Ipv4Addr::from_bits(net.addr().to_bits() | (host & net.hostmask().to_bits()))
    })
}

proptest! {
    #[test]
    fn a_refused_v4_is_refused_in_every_embedding(v4 in special_v4(), prefix: [u16; 4]) {
        prop_assert!(closed().check(v4.into()).is_err());
        for address in embeddings(v4, prefix) {
            prop_assert!(closed().check(address.into()).is_err(), "{address}");
        }
    }

    #[test]
    fn a_mapped_address_is_judged_like_the_plain_one(bits: u32, allow: bool) {
        let v4 = Ipv4Addr::from_bits(bits);
        let guard = if allow { open_to(&["0.0.0.0/1"]) } else { closed() };
        prop_assert_eq!(guard.check(v4.into()).is_ok(), guard.check(v4.to_ipv6_mapped().into()).is_ok());
    }

    #[test]
    fn admits_no_v6_outside_global_unicast_but_translated_ones(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        let translated = MAPPED.contains(&address) || NAT64.contains(&address);
        if closed().check(address.into()).is_ok() && !translated {
            prop_assert_eq!(address.segments()[0] >> 13, 1);
        }
    }

    #[test]
    fn never_panics_on_a_url(text in "\\PC{0,40}") {
        if let Ok(url) = Url::parse(&format!("http://{text}")) {
            let _ = closed().check_url(&url);
        }
    }
}
