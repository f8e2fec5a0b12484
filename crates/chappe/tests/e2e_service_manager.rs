//! What a service manager hears (sd_notify), and when: ready not before peers can connect, alive as long as it is, reloading,
//! stopping.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

mod support;

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};

use support::{DEADLINE, Site, pair::loopback, program, wait_for};

/// A service manager with one service.
struct Manager {
    socket: UnixDatagram,
    service: Child,
    site: Site,
}

impl Manager {
    fn start() -> Manager {
        let site = Site::new("A", loopback(), loopback());
        site.configure(&support::Plan::default().text(&site, "ALPHA"));
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let service = Command::new(program())
            .args(["serve".as_ref(), "--config".as_ref(), site.config().as_os_str()])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "200000")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Manager { socket, service, site }
    }

    /// The next thing that it says, but for that it is alive.
    fn hears(&self) -> String {
        loop {
            let text = self.hears_anything();
            if text != "WATCHDOG=1" {
                return text;
            }
        }
    }

    fn hears_anything(&self) -> String {
        let mut buffer = [0; 256];
        let length = self.socket.recv(&mut buffer).expect("the service says something");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn signal(&self, name: &str) {
        let id = self.service.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

#[test]
fn a_service_manager_hears_how_the_service_stands() {
    let mut manager = Manager::start();
    assert_eq!(manager.hears(), "READY=1");
    TcpStream::connect(manager.site.p1).expect("peers can connect once it is ready");
    assert!(manager.site.get("/readyz").is_some());
    (0..3).for_each(|_| while manager.hears_anything() != "WATCHDOG=1" {});
    manager.signal("HUP");
    let reloading = manager.hears();
    let clock = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
    assert!(clock.is_some_and(|clock| clock.parse::<u64>().is_ok()), "{reloading}");
    assert_eq!(manager.hears(), "READY=1");
    manager.signal("TERM");
    assert_eq!(manager.hears(), "STOPPING=1");
    let status = wait_for("the end", || manager.service.try_wait().unwrap());
    assert!(status.success());
}

#[test]
fn nobody_is_told_that_it_is_ready_if_peers_can_not_connect() {
    let site = Site::new("A", loopback(), loopback());
    site.configure(&support::Plan::default().text(&site, "ALPHA"));
    let taken = TcpListener::bind(site.p1).unwrap();
    let path = site.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let output = Command::new(program())
        .args(["serve".as_ref(), "--config".as_ref(), site.config().as_os_str()])
        .env("NOTIFY_SOCKET", &path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    socket.set_nonblocking(true).unwrap();
    assert!(socket.recv(&mut [0; 64]).is_err(), "it said that it was ready");
    drop(taken);
}
