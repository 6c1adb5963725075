//! The association: paths, loss recovery, congestion control, streams and datagrams between two node ids.
