//! Programs reach each other by public key: authenticated, encrypted streams that survive changes of address.
