use keyway_identity::SecretKey;

/// The content of a key file, or of an environment variable: a key that is accepted is written so that it is read
/// again, and both readers see the same key where both see one.
pub fn key_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let read = [SecretKey::from_pem(text), SecretKey::from_variable(text)];
    for key in read.iter().flatten() {
        let document = key.to_pem();
        assert_eq!(SecretKey::from_pem(&document).as_ref(), Ok(key));
        assert_eq!(SecretKey::from_variable(&document).as_ref(), Ok(key));
    }
    if let [Ok(from_pem), Ok(from_variable)] = &read {
        assert_eq!(from_pem, from_variable);
    }
}
