//! Free ports of 127.0.0.1.

use super::DevServerError;
use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
};

/// A port of 127.0.0.1 that nothing listens on.
///
/// For about a minute the system gives it to nobody who asks for just any port, so there is time to listen there. A program
/// that asks for this very port can still come first.
///
/// # Errors
///
/// The system's, when it has no port left.
pub fn free_port() -> io::Result<u16> {
    free_ports().map(|[port]| port)
}

/// `N` different ports, each as [`free_port`] gives it.
///
/// # Errors
///
/// The system's, when it has no port left.
pub fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    // All listeners are held until all are bound: no port comes twice.
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    for listener in &listeners {
        keep_back(listener)?;
    }
    Ok(ports)
}

/// Leaves behind a connection that the listening side closed first: while it lingers (TIME-WAIT), the system chooses the port
/// for no other socket, and yet a server may bind it by number, since servers set `SO_REUSEADDR`.
fn keep_back(listener: &TcpListener) -> io::Result<()> {
    let caller = TcpStream::connect(listener.local_addr()?)?;
    let (callee, _) = listener.accept()?;
    callee.shutdown(Shutdown::Both)?;
    drop(callee);
    drop(caller);
    Ok(())
}

/// Whether a server could listen on the port now.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Host and port of a port of 127.0.0.1.
pub(super) fn loopback(port: u16) -> String {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()
}

/// The ports that somebody asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FixedPorts {
    pub(super) grpc: Option<u16>,
    pub(super) http: Option<u16>,
    pub(super) metrics: Option<u16>,
    pub(super) ui: Option<u16>,
}

/// The ports of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ports {
    pub(super) grpc: u16,
    pub(super) http: u16,
    pub(super) metrics: u16,
    /// Present if the server has the Web UI.
    pub(super) ui: Option<u16>,
}

impl FixedPorts {
    /// Adds free ports for what is not fixed.
    pub(super) fn choose(self, ui: bool) -> Result<Ports, DevServerError> {
        let [grpc, http, metrics, ui_port] = free_ports().map_err(DevServerError::NoFreePort)?;
        Ok(Ports {
            grpc: self.grpc.unwrap_or(grpc),
            http: self.http.unwrap_or(http),
            metrics: self.metrics.unwrap_or(metrics),
            ui: ui.then(|| self.ui.unwrap_or(ui_port)),
        })
    }

    /// Says which of the ports is in use, if one is.
    pub(super) fn check(self) -> Result<(), DevServerError> {
        let named = [
            (self.grpc, "gRPC"),
            (self.http, "HTTP"),
            (self.metrics, "metrics"),
            (self.ui, "Web UI"),
        ];
        for (port, purpose) in named {
            if let Some(port) = port.filter(|port| !is_free(*port)) {
                return Err(DevServerError::PortInUse { port, purpose });
            }
        }
        Ok(())
    }
}

impl From<Ports> for FixedPorts {
    fn from(ports: Ports) -> Self {
        Self {
            grpc: Some(ports.grpc),
            http: Some(ports.http),
            metrics: Some(ports.metrics),
            ui: ports.ui,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn free_ports_differ_and_can_be_bound() {
        let ports: [u16; 16] = free_ports().expect("ports");
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), 16);
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        }
    }

    #[test]
    fn a_free_port_is_not_given_out_again_at_once() {
        let ports: HashSet<u16> = (0..500).map(|_| free_port().expect("a port")).collect();
        assert_eq!(ports.len(), 500);
    }

    #[test]
    fn chosen_ports_keep_the_fixed_ones() {
        let fixed = FixedPorts {
            grpc: Some(7),
            ui: Some(9),
            ..FixedPorts::default()
        };
        let ports = fixed.choose(true).expect("ports");
        assert_eq!((ports.grpc, ports.ui), (7, Some(9)));
        assert_ne!(ports.http, ports.metrics);
        assert_eq!(fixed.choose(false).expect("ports").ui, None);
    }

    #[test]
    fn a_port_in_use_is_named_with_its_purpose() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let fixed = FixedPorts {
            grpc: Some(free_port().expect("a port")),
            metrics: Some(port),
            ..FixedPorts::default()
        };
        let error = fixed.check().expect_err("a port in use");
        assert_eq!(
            error.to_string(),
            format!(
                "port {port} (metrics) is in use: stop what listens there, \
                 or leave the choice of a port to the dev server"
            )
        );
        drop(listener);
        fixed.check().expect("the port is free now");
    }
}
