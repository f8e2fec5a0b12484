//! MTA-A and MTA-B with a connector each way: domains ALPHA and BETA, as in `examples/pair`, with the short retry
//! times that tests need.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Site, port};

/// What a pair is made from: change what the test is about, then build.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where MTA-A listens for peers.
    pub a_p1: SocketAddr,
    /// Where MTA-B listens for peers.
    pub b_p1: SocketAddr,
    /// Where MTA-A connects to; a proxy may stand there.
    pub a_connects_to: SocketAddr,
    /// Where MTA-B connects to.
    pub b_connects_to: SocketAddr,
    /// More lines of [mta] at both.
    pub mta: String,
    /// Lines of [[connector]] itself at both.
    pub connector: String,
    /// Lines of [connector.rts] at both.
    pub rts: String,
    /// Lines of [connector.retry] at both.
    pub retry: String,
    /// Lines of [connector.association] at both.
    pub association: String,
    /// More connectors of MTA-A.
    pub more_of_a: String,
}

impl Default for Plan {
    fn default() -> Plan {
        let [a_p1, b_p1] = [loopback(), loopback()];
        Plan {
            a_p1,
            b_p1,
            a_connects_to: b_p1,
            b_connects_to: a_p1,
            mta: String::new(),
            connector: String::new(),
            rts: String::new(),
            retry: "open_interval_s = 1\ntransfer_interval_s = 1\n".to_owned(),
            association: String::new(),
            more_of_a: String::new(),
        }
    }
}

/// An address of this machine where nothing listens.
pub fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port()).into()
}

impl Plan {
    /// The two sites, configured and not started.
    pub fn build(&self) -> Pair {
        let a = Site::new("A", self.a_p1, loopback());
        let b = Site::new("B", self.b_p1, loopback());
        a.configure(
            &(self.text(&a, "ALPHA") + &self.link("B", "BETA", self.a_connects_to) + &self.more_of_a),
        );
        b.configure(&(self.text(&b, "BETA") + &self.link("A", "ALPHA", self.b_connects_to)));
        Pair { a, b }
    }

    /// The two sites, running.
    pub fn start(&self) -> Pair {
        let mut pair = self.build();
        pair.b.start();
        pair.a.start();
        pair
    }

    /// The configuration of a site in domain `prmd`, without connectors.
    pub fn text(&self, site: &Site, prmd: &str) -> String {
        format!(
            "[mta]\nname = \"MTA-{}\"\npassword = \"password of {}\"\n\
             domain = {{ country = \"GB\", admd = \" \", prmd = \"{prmd}\" }}\n\
             data_dir = {:?}\nlocal = [\"P={prmd};A= ;C=GB\"]\n{}\n\
             [listen]\np1 = [\"{}\"]\napi = \"{}\"\n",
            site.name,
            site.name,
            site.data(),
            self.mta,
            site.p1,
            site.api
        )
    }

    /// The connector to the MTA called `MTA-peer` in domain `prmd`.
    pub fn link(&self, peer: &str, prmd: &str, host: SocketAddr) -> String {
        format!(
            "[[connector]]\nname = \"to-{}\"\nremote_mta = \"MTA-{peer}\"\n\
             remote_password = \"password of {peer}\"\nhosts = [\"{host}\"]\n\
             address_space = [{{ address = \"P={prmd};A= ;C=GB\", cost = 1 }}]\n{}\n\
             [connector.rts]\n{}\n[connector.retry]\n{}\n[connector.association]\n{}\n",
            peer.to_lowercase(),
            self.connector,
            self.rts,
            self.retry,
            self.association
        )
    }
}

/// Two MTAs.
#[derive(Debug)]
pub struct Pair {
    pub a: Site,
    pub b: Site,
}
