//! What a peer can do that holds the keys of a session: the association on the other side, its user, and the clock.

mod input;
mod peer;
mod victim;

use self::input::Input;
use self::peer::Peer;
use self::victim::Victim;

/// The longest time that one step lets pass, in milliseconds: over two minutes, so that keys and patience run out.
const PAUSE_MAX: u16 = 40_000;

/// One association, whose peer says whatever it likes under valid keys, and whose user does what users do.
///
/// The input is a list of steps, each an octet of what to do and what it needs: packets of arbitrary frames from known and
/// unknown addresses, repeated packets, honest acknowledgements, pauses, and everything that a user can call. Promised is
/// what `Victim` checks after each: an end to everything, nothing twice, nothing much to strangers' addresses.
pub fn association(data: &[u8]) {
    let mut input = Input::new(data);
    let (mut victim, mut peer) = (Victim::new(), Peer::new());
    peer.say(&mut victim, 0, &[PING]);
    while let Some(step) = input.octet() {
        match step % 16 {
            0..=3 => {
                let from = input.octet().unwrap_or(0);
                peer.skip(input.octet().unwrap_or(0));
                let frames = input.octets();
                peer.say(&mut victim, usize::from(from % 8 / 5), frames);
            }
            4 => peer.repeat(&mut victim, usize::from(input.octet().unwrap_or(0) % 3)),
            5 | 6 => peer.acknowledge(&mut victim),
            7 => victim.pause(input.short() % PAUSE_MAX),
            8 => victim.open(input.octet().unwrap_or(0)),
            9 => victim.write(input.octet().unwrap_or(0), input.short()),
            10 => victim.end_stream(input.octet().unwrap_or(0), input.octet().unwrap_or(0)),
            11 => victim.read(input.octet().unwrap_or(0), input.short()),
            12 => victim.exchange_datagrams(input.octet().unwrap_or(0), input.short()),
            13 => victim.ping(),
            14 => victim.use_routes(input.octet().unwrap_or(0)),
            _ => victim.close(input.octet().unwrap_or(0)),
        }
        victim.settle(&mut peer);
    }
}

/// The kind of a PING frame, which is all of it.
const PING: u8 = 1;
