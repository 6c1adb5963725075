use keyway_identity::NodeId;

/// A node id as text: what is accepted is the text form of what it gives, but for upper case.
pub fn node_id(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.parse::<NodeId>() {
        Ok(id) => {
            assert_eq!(id.to_string(), text.to_ascii_lowercase());
            assert_eq!(NodeId::from_bytes(*id.as_bytes()), Ok(id));
        }
        Err(error) => assert!(error.to_string().len() < 100, "{error}"),
    }
}
