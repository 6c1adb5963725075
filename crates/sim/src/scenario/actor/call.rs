//! One stream of an errand: a few octets say which one it is, then each side sends a content that the other one can check.

use keyway_node::{Node, ReadError, StreamKey, WriteError, codes};

use super::super::errand::{CallPlan, Direction, Progress};

/// Octets that say which errand a stream is for: its name, how much comes, how much is wanted back.
const HEAD: usize = 24;

/// How much is written or read in one call.
const PIECE: usize = 16 * 1024;

/// One side of a call.
#[derive(Debug)]
pub(super) struct Call {
    /// Known to the caller from the start, to the other side with the head.
    errand: Option<(u64, CallPlan)>,
    direction: Direction,
    /// What was written of the head, or was read of it.
    head: Vec<u8>,
    head_written: usize,
    written: u64,
    read: u64,
    finished: bool,
    delivered: bool,
    ended: bool,
    broken: Option<String>,
    /// Why the association is over, if it is: what has arrived can still be read, and nothing is delivered any more.
    over: Option<String>,
}

impl Call {
    /// The side that calls.
    pub(super) fn calling(name: u64, plan: CallPlan) -> Self {
        let head = [name, plan.length, plan.answer].map(u64::to_be_bytes);
        Self {
            errand: Some((name, plan)),
            direction: Direction::There,
            head: head.concat(),
            ..Self::called()
        }
    }

    /// The side that is called, and learns why.
    pub(super) fn called() -> Self {
        Self {
            errand: None,
            direction: Direction::Back,
            head: Vec::new(),
            head_written: 0,
            written: 0,
            read: 0,
            finished: false,
            delivered: false,
            ended: false,
            broken: None,
            over: None,
        }
    }

    /// Which errand it is, where that is known yet.
    pub(super) fn name(&self) -> Option<u64> {
        Some(self.errand?.0)
    }

    pub(super) fn progress(&self) -> Progress {
        match &self.broken {
            _ if self.ended && self.delivered => Progress::Done,
            Some(why) => Progress::Broken(why.clone()),
            None => Progress::Running(self.state()),
        }
    }

    fn state(&self) -> String {
        let Self {
            written,
            read,
            finished,
            delivered,
            ended,
            ..
        } = self;
        format!(
            "{written} octets written (finished {finished}, delivered {delivered}), {read} read (ended {ended})"
        )
    }

    /// Everything sent has arrived.
    pub(super) fn delivered(&mut self) {
        self.delivered = true;
    }

    /// The association is over.
    pub(super) fn over(&mut self, why: String) {
        self.over.get_or_insert(why);
    }

    /// Stops in the middle, both ways.
    pub(super) fn give_up(&mut self, node: &mut Node, stream: StreamKey) {
        node.reset(stream, codes::APPLICATION);
        node.stop(stream, codes::APPLICATION);
        self.broken.get_or_insert("given up here".to_owned());
    }

    /// Goes on as far as the stream lets it. What is wrong, whatever happened before, is an error; what may happen breaks the
    /// call.
    pub(super) fn go_on(
        &mut self,
        node: &mut Node,
        stream: StreamKey,
        may_read: bool,
    ) -> Result<(), String> {
        if self.broken.is_some() {
            return Ok(());
        }
        if may_read {
            self.read(node, stream)?;
        }
        self.write(node, stream);
        if self.ended && !self.delivered {
            self.broken = self.broken.take().or_else(|| self.over.clone());
        }
        Ok(())
    }

    fn write(&mut self, node: &mut Node, stream: StreamKey) {
        while let Some((name, plan)) = self.errand
            && !self.finished
            && self.broken.is_none()
        {
            let mut piece = self.head.get(self.head_written..).unwrap_or_default();
            if self.direction == Direction::Back {
                piece = &[];
            }
            let is_head = !piece.is_empty();
            let mut buffer = Vec::new();
            if !is_head {
                buffer.resize(PIECE, 0);
                let length = self.length(plan, self.direction);
                let content = self.direction.content(name, length);
                let filled = content.read(self.written, &mut buffer);
                buffer.truncate(filled);
                piece = &buffer;
            }
            if piece.is_empty() {
                node.finish(stream);
                self.finished = true;
                return;
            }
            match node.write(stream, piece) {
                Ok(taken) if is_head => self.head_written += taken,
                Ok(taken) => self.written += taken as u64,
                Err(WriteError::Blocked) => return,
                Err(error) => self.break_off(node, stream, error.to_string()),
            }
        }
    }

    fn read(&mut self, node: &mut Node, stream: StreamKey) -> Result<(), String> {
        let mut buffer = [0; PIECE];
        while !self.ended && self.broken.is_none() {
            // The head alone at first: what follows cannot be checked before.
            let reach = match self.errand {
                Some(_) => PIECE,
                None => HEAD - self.head.len(),
            };
            match node.read(stream, &mut buffer[..reach]) {
                Ok(length) => self.take(&buffer[..length])?,
                Err(ReadError::Blocked) => return Ok(()),
                Err(ReadError::Finished) => self.end()?,
                Err(error) => self.break_off(node, stream, error.to_string()),
            }
        }
        Ok(())
    }

    fn take(&mut self, octets: &[u8]) -> Result<(), String> {
        let Some((name, plan)) = self.errand else {
            self.head.extend_from_slice(octets);
            self.errand = parse(&self.head);
            return Ok(());
        };
        let direction = self.direction.other();
        let content = direction.content(name, self.length(plan, direction));
        if !content.matches(self.read, octets) {
            let at = self.read;
            return Err(format!(
                "errand {name}: what came at octet {at} was not sent there"
            ));
        }
        self.read += octets.len() as u64;
        Ok(())
    }

    // T5
    fn end(&mut self) -> Result<(), String> {
        let Some((name, plan)) = self.errand else {
            return Err("a stream ended before it said what it was for".to_owned());
        };
        let length = self.length(plan, self.direction.other());
        if self.read != length {
            let read = self.read;
            return Err(format!(
                "errand {name}: the end came after {read} octets of {length}"
            ));
        }
        self.ended = true;
        Ok(())
    }

    fn length(&self, plan: CallPlan, direction: Direction) -> u64 {
        match direction {
            Direction::There => plan.length,
            Direction::Back => plan.answer,
        }
    }

    /// One half is broken: the other is of no use any more.
    fn break_off(&mut self, node: &mut Node, stream: StreamKey, why: String) {
        self.broken = Some(why);
        node.reset(stream, codes::ABANDONED);
        node.stop(stream, codes::ABANDONED);
    }
}

/// What a head says, when it is whole.
fn parse(head: &[u8]) -> Option<(u64, CallPlan)> {
    let head: &[u8; HEAD] = head.try_into().ok()?;
    let mut words = head.chunks_exact(8).map(|word| {
        word.iter()
            .fold(0, |sum, octet| sum << 8 | u64::from(*octet))
    });
    let (name, length, answer) = (words.next()?, words.next()?, words.next()?);
    Some((name, CallPlan { length, answer }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: CallPlan = CallPlan {
        length: 100,
        answer: 7,
    };

    /// A called side that has read the head of a call.
    fn called() -> Call {
        let calling = Call::calling(9, PLAN);
        let mut called = Call::called();
        for octet in &calling.head {
            called.take(&[*octet]).unwrap();
        }
        called
    }

    #[test]
    fn the_head_says_what_the_call_is_for() {
        assert_eq!(called().errand, Some((9, PLAN)));
    }

    // T5
    #[test]
    fn wrong_octets_and_a_wrong_end_are_noticed() {
        let mut content = [0; 100];
        let _ = Direction::There.content(9, 100).read(0, &mut content);
        let mut right = called();
        assert_eq!(right.take(&content), Ok(()));
        assert_eq!(right.end(), Ok(()));
        assert!(called().end().is_err());
        assert!(called().take(&content[1..]).is_err());
        assert!(Call::called().end().is_err());
        let mut twice = called();
        twice.take(&content[..50]).unwrap();
        assert!(twice.take(&content[..50]).is_err());
    }
}
