use std::net::IpAddr;

use super::validation::ChallengeData;
use crate::Route;

/// Challenges that wait for their answer at most; a flood of them in one batch of packets costs no more than that (CVE-2023-49295).
const RESPONSES_MAX: usize = 4;

/// A PATH_CHALLENGE that is to be answered where it came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Response {
    pub(crate) route: Route,
    pub(crate) local: Option<IpAddr>,
    pub(crate) data: ChallengeData,
    /// Octets of the packet that it came in: the answer is not larger.
    pub(crate) size: usize,
}

/// The challenges that wait for their answer.
#[derive(Debug, Default)]
pub(crate) struct Responses {
    waiting: Vec<Response>,
}

impl Responses {
    /// One more; if too many wait, the oldest goes, since its sender tries again.
    pub(crate) fn push(&mut self, response: Response) {
        if self.waiting.len() == RESPONSES_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push(response);
    }

    /// The one that is answered next, of those that can be: the youngest, whose sender still waits for it most likely.
    pub(crate) fn next(&self, can_be: impl Fn(&Response) -> bool) -> Option<usize> {
        self.waiting.iter().rposition(can_be)
    }

    /// Takes it out.
    pub(crate) fn take(&mut self, index: usize) -> Response {
        self.waiting.remove(index)
    }

    /// Gives back room that is left over.
    pub(crate) fn rest(&mut self) {
        self.waiting.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CVE-2023-49295
    #[test]
    fn a_flood_of_challenges_gets_a_few_answers() {
        let mut responses = Responses::default();
        let route = Route::Direct {
            remote: ([192, 0, 2, 1], 9).into(),
        };
        for octet in 0..=255 {
            responses.push(Response {
                route,
                local: None,
                data: [octet; 8],
                size: 1200,
            });
        }
        let youngest = responses.next(|_| true).map(|index| responses.take(index));
        assert_eq!(youngest.unwrap().data, [255; 8]);
        let next = || Some(responses.take(responses.next(|_| true)?));
        assert_eq!(std::iter::from_fn(next).count(), RESPONSES_MAX - 1);
    }
}
