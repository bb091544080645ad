//! Where this machine is within the machines' network.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// A free port of this machine's address in the network of that range. The engine gives that address only when the first container
/// is there.
///
/// # Panics
/// It cannot be listened at.
pub(super) fn listen(cidr: &str) -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket
        .set_freebind_v4(true)
        .expect("an address that is not there yet");
    socket
        .bind(&SocketAddr::from((address(cidr), 0)).into())
        .expect("a free port");
    socket.listen(128).expect("a listener");
    socket
        .set_nonblocking(true)
        .expect("a listener that does not block");
    socket.into()
}

/// The first address of a range, which the engine gives to this machine.
fn address(cidr: &str) -> Ipv4Addr {
    let network = cidr.split('/').next().unwrap_or_default();
    let network: Ipv4Addr = network.parse().expect("a range");
    Ipv4Addr::from(u32::from(network) + 1)
}
