//! Who a Keyway node is: keys, node ids, their text form, key files, and signed data.
