//! Frames that have to arrive.

/// What has become of a frame that is sent again until the peer has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// To be sent, for the first time or again.
    Due,
    /// Sent, nothing heard.
    InFlight,
    /// The peer has it.
    Acked,
}

impl Delivery {
    pub(super) fn on_sent(&mut self) {
        if *self == Self::Due {
            *self = Self::InFlight;
        }
    }

    /// Even if it was given up as lost before: then it need not go out again.
    pub(super) fn on_acked(&mut self) {
        *self = Self::Acked;
    }

    /// Whether it is to be sent again.
    pub(super) fn on_lost(&mut self) -> bool {
        if *self == Self::InFlight {
            *self = Self::Due;
        }
        *self == Self::Due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_acknowledgement_ends_it_and_a_late_loss_does_not_begin_it_again() {
        let mut delivery = Delivery::Due;
        delivery.on_sent();
        assert!(delivery.on_lost());
        delivery.on_acked();
        assert!(!delivery.on_lost());
        delivery.on_sent();
        assert_eq!(delivery, Delivery::Acked);
    }
}
