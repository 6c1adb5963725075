//! A web server that keeps connections open, for whatever speaks HTTP/1.1.

use std::convert::Infallible;
use std::future::Future;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{Context, SHA256};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Barrier;

use crate::service::{hex, pattern};

/// How many requests to `/together/…` wait for each other.
pub(crate) const TOGETHER: usize = 100;

/// The number of the connection that a request came by.
pub(crate) const CONNECTION: &str = "x-connection";

/// Serves HTTP on a TCP port of the system's choice; returns the target as the command line has it.
pub(crate) fn serve_tcp() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("tcp:{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    in_background(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let server = Server::new();
        loop {
            server.clone().serve(listener.accept().await.unwrap().0);
        }
    });
    target
}

/// Serves HTTP on a Unix socket.
pub(crate) fn serve_unix(path: &Path) {
    let listener = UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    in_background(async move {
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        let server = Server::new();
        loop {
            server.clone().serve(listener.accept().await.unwrap().0);
        }
    });
}

fn in_background(serving: impl Future<Output = ()> + Send + 'static) {
    std::thread::spawn(|| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(serving);
    });
}

#[derive(Clone)]
struct Server {
    connections: Arc<AtomicUsize>,
    together: Arc<Barrier>,
}

impl Server {
    fn new() -> Self {
        Self {
            connections: Arc::default(),
            together: Arc::new(Barrier::new(TOGETHER)),
        }
    }

    fn serve(self, connection: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            let service = service_fn(|request| self.answer(request, number));
            let connection = TokioIo::new(connection);
            // What breaks a connection shows at the client, which is what the test looks at.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(connection, service)
                .await;
        });
    }

    /// `GET /N` gives N octets, `GET /together/N` too once a hundred of them have come, and `PUT` the hash of what came.
    async fn answer(
        &self,
        request: Request<Incoming>,
        number: usize,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let body = if request.method() == Method::PUT {
            hash_of(request.into_body()).await
        } else {
            let path = request.uri().path();
            if path.starts_with("/together/") {
                self.together.wait().await;
            }
            let length = path
                .rsplit('/')
                .next()
                .and_then(|length| length.parse().ok());
            pattern(length.unwrap())
        };
        let response = Response::builder().header(CONNECTION, number);
        Ok(response.body(Full::new(body.into())).unwrap())
    }
}

async fn hash_of(mut body: Incoming) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    while let Some(frame) = body.frame().await {
        // An upload that breaks off has the hash of nothing whole.
        let Ok(frame) = frame else { return Vec::new() };
        if let Some(data) = frame.data_ref() {
            digest.update(data);
        }
    }
    hex(digest.finish().as_ref()).into_bytes()
}
