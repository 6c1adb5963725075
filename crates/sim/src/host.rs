//! A Keyway node on a host of the world, with a user who dials, serves and watches.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use keyway_identity::{NodeId, SecretKey};
use keyway_node::{
    Allow, AssociationKey, Config, ConnectId, EndReason, Event, PathKind, StreamKey, Wall,
};
use keyway_wire::{ServiceName, Time};

use crate::applications::{Application, Plan};
use crate::machine::{Machine, User};

/// The wall-clock time at which every world begins: some second in 2027.
const BEGINNING: Wall = Wall(1_800_000_000);

/// How long a user waits for a connection: the facade's default.
pub const CONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// A node and its user.
#[derive(Debug)]
pub struct NodeHost {
    machine: Machine,
    services: BTreeMap<ServiceName, Plan>,
    dials: BTreeMap<ConnectId, Dial>,
    applications: BTreeMap<StreamKey, Application>,
    diary: Diary,
    /// The first thing that went wrong in an application.
    trouble: Option<String>,
}

#[derive(Clone, Debug)]
struct Dial {
    service: ServiceName,
    plan: Plan,
    deadline: Time,
}

/// What a user has been told, with the times.
#[derive(Clone, Debug, Default)]
pub struct Diary {
    /// Connections that were asked for and made.
    pub connected: Vec<(Time, AssociationKey, NodeId)>,
    /// Connections that were asked for and not made.
    pub not_connected: Vec<(Time, String)>,
    /// Streams that peers opened.
    pub incoming: Vec<(Time, StreamKey, NodeId)>,
    /// Paths taken into use.
    pub paths: Vec<(Time, AssociationKey, PathKind)>,
    /// Associations that ended.
    pub ended: Vec<(Time, AssociationKey, EndReason)>,
    /// Streams that the peer does not want, with its code.
    pub stopped: Vec<(Time, StreamKey, u64)>,
    /// Stalls of five seconds.
    pub stalls: Vec<(Time, AssociationKey)>,
    /// Servers that accepted our record.
    pub registered: Vec<(Time, NodeId)>,
}

impl NodeHost {
    /// A node with sockets at these addresses, with all its randomness from `seed`.
    ///
    /// # Panics
    /// If there is no address.
    #[must_use]
    pub fn new(secret: SecretKey, seed: [u8; 32], locals: &[SocketAddr], config: Config) -> Self {
        let clocks = (Time::ZERO, BEGINNING);
        let addresses: Vec<IpAddr> = locals.iter().map(SocketAddr::ip).collect();
        let machine = Machine::new(clocks, secret, seed, locals, &addresses, config);
        Self {
            machine,
            services: BTreeMap::new(),
            dials: BTreeMap::new(),
            applications: BTreeMap::new(),
            diary: Diary::default(),
            trouble: None,
        }
    }

    /// The node's own id.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.machine.node.node_id()
    }

    /// Where the node's first socket is bound.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.machine.local
    }

    /// What the user has been told.
    #[must_use]
    pub fn diary(&self) -> &Diary {
        &self.diary
    }

    /// What went wrong in an application, if something did.
    #[must_use]
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// What is being done over this host's streams, in the order of the streams.
    pub fn applications(&self) -> impl Iterator<Item = &Application> {
        self.applications.values()
    }

    /// The association with a peer.
    #[must_use]
    pub fn association_of(&self, peer: &NodeId) -> Option<AssociationKey> {
        self.machine.node.association_of(peer)
    }

    /// Names a rendezvous server.
    pub fn add_server(&mut self, now: Time, server: NodeId, addresses: &[SocketAddr]) {
        self.machine.node.add_server(now, server, addresses);
        self.react(now);
    }

    /// Serves a service by a plan.
    pub fn serve(&mut self, now: Time, service: &ServiceName, allow: Allow, plan: Plan) {
        self.services.insert(service.clone(), plan);
        self.machine.node.listen(now, service.clone(), allow);
        self.react(now);
    }

    /// Dials a peer's service; gives up after [`CONNECT_DEADLINE`]. The diary tells what came of it.
    pub fn dial(
        &mut self,
        now: Time,
        peer: NodeId,
        hints: &[SocketAddr],
        service: &ServiceName,
        plan: Plan,
    ) {
        let id = self.machine.node.connect(now, peer, hints);
        let dial = Dial {
            service: service.clone(),
            plan,
            deadline: now + CONNECT_DEADLINE,
        };
        self.dials.insert(id, dial);
        self.react(now);
    }

    /// Opens one more stream over an association that exists.
    pub fn open(
        &mut self,
        now: Time,
        association: AssociationKey,
        service: &ServiceName,
        plan: Plan,
    ) {
        match self.machine.node.open(association, plan.kind(), service) {
            Ok(stream) => self.begin(now, stream, plan),
            Err(error) => self.worry(format!("cannot open a stream: {error}")),
        }
        self.react(now);
    }

    fn connected(&mut self, now: Time, id: ConnectId, association: AssociationKey, peer: NodeId) {
        let Some(dial) = self.dials.remove(&id) else {
            self.worry("a connection was made that nobody waits for".to_owned());
            return;
        };
        self.diary.connected.push((now, association, peer));
        match self
            .machine
            .node
            .open(association, dial.plan.kind(), &dial.service)
        {
            Ok(stream) => self.begin(now, stream, dial.plan),
            Err(error) => self.worry(format!("cannot open a stream: {error}")),
        }
    }

    fn begin(&mut self, now: Time, stream: StreamKey, plan: Plan) {
        self.applications.insert(stream, plan.start(now));
        self.go_on(now, stream);
    }

    fn go_on(&mut self, now: Time, stream: StreamKey) {
        let Some(application) = self.applications.get_mut(&stream) else {
            return;
        };
        if let Err(trouble) = application.go_on(now, &mut self.machine.node, stream) {
            self.worry(trouble);
        }
    }

    fn worry(&mut self, trouble: String) {
        self.trouble.get_or_insert(trouble);
    }
}

impl User for NodeHost {
    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn machine_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }

    fn hear(&mut self, now: Time, event: Event) {
        match event {
            Event::Connected {
                id,
                association,
                peer,
            } => self.connected(now, id, association, peer),
            Event::ConnectFailed { id, reason } => {
                self.dials.remove(&id);
                self.diary.not_connected.push((now, reason.to_string()));
            }
            Event::Incoming {
                stream,
                peer,
                service,
                ..
            } => {
                self.diary.incoming.push((now, stream, peer));
                match self.services.get(&service).copied() {
                    Some(plan) => self.begin(now, stream, plan),
                    None => self.worry(format!(
                        "a stream came for {service}, which is not served here"
                    )),
                }
            }
            Event::Readable(stream) | Event::Writable(stream) | Event::DatagramReceived(stream) => {
                self.go_on(now, stream)
            }
            Event::Delivered(stream) => {
                if let Some(application) = self.applications.get_mut(&stream) {
                    application.delivered();
                }
            }
            Event::Stopped { stream, code } => self.diary.stopped.push((now, stream, code)),
            Event::Ended {
                association,
                reason,
                ..
            } => self.diary.ended.push((now, association, reason)),
            Event::PathSelected {
                association, path, ..
            } => self.diary.paths.push((now, association, path)),
            Event::Stalled(association) => self.diary.stalls.push((now, association)),
            Event::Registered(server) => self.diary.registered.push((now, server)),
            Event::StreamsAvailable(_)
            | Event::DatagramsUnblocked(_)
            | Event::Recovered(_)
            | Event::Pong { .. }
            | Event::Record { .. }
            | Event::RecordNotFound { .. }
            | Event::ServerConnected(_)
            | Event::ServerLost(_) => {}
        }
    }

    fn strike(&mut self, now: Time) {
        let late = |dial: &Dial| dial.deadline <= now;
        let given_up: Vec<ConnectId> = self
            .dials
            .iter()
            .filter(|(_, dial)| late(dial))
            .map(|(id, _)| *id)
            .collect();
        for id in given_up {
            self.dials.remove(&id);
            self.machine.node.cancel(id);
            self.diary
                .not_connected
                .push((now, "no answer within the deadline".to_owned()));
        }
        let due: Vec<StreamKey> = self
            .applications
            .iter()
            .filter(|(_, application)| application.wake_at().is_some_and(|time| time <= now))
            .map(|(stream, _)| *stream)
            .collect();
        for stream in due {
            self.go_on(now, stream);
        }
    }

    fn strikes_at(&self) -> Option<Time> {
        let dials = self.dials.values().map(|dial| dial.deadline);
        let applications = self.applications.values().filter_map(Application::wake_at);
        dials.chain(applications).min()
    }
}
