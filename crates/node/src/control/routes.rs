//! Where the paths of associations lead at the moment.

use std::net::SocketAddr;

use keyway_transport::Route;

use super::Control;
use crate::event::PathKind;
use crate::keys::AssociationKey;
use crate::worker::Worker;

impl Control {
    /// The address where a server is reached right now.
    pub(crate) fn server_address(&self, worker: &Worker, server: u32) -> Option<SocketAddr> {
        let association = self.servers.get(server as usize)?.association?;
        direct_address(worker, association)
    }

    pub(crate) fn path_kind(&self, worker: &Worker, route: Route) -> Option<PathKind> {
        match route {
            Route::Direct { remote } => Some(PathKind::Direct { remote }),
            Route::Relay { channel } => {
                let server = self.servers.get(channel.server as usize)?.id;
                let remote = self.server_address(worker, channel.server);
                Some(PathKind::Relay { server, remote })
            }
        }
    }
}

/// The address that an association sends to, where its selected path is a direct one.
pub(super) fn direct_address(worker: &Worker, association: AssociationKey) -> Option<SocketAddr> {
    match worker.get(association)?.selected_route()? {
        Route::Direct { remote } => Some(remote),
        Route::Relay { .. } => None,
    }
}

/// Whether one of the association's paths is validated for this address.
pub(super) fn is_validated(
    worker: &Worker,
    association: AssociationKey,
    remote: SocketAddr,
) -> bool {
    let route = Route::Direct { remote };
    worker.get(association).is_some_and(|association| {
        association
            .paths()
            .any(|path| path.validated && path.route == route)
    })
}
