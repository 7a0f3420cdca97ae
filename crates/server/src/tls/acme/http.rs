//! Questions to an authority, over https and no other way; one connection for each.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1::handshake;
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::{Connector, Trust};

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Asks an authority.
#[derive(Debug)]
pub(super) struct Https {
    connector: Connector,
}

impl Https {
    /// Asks those that are believed.
    pub(super) fn new(trust: &Trust) -> Result<Self> {
        Ok(Self { connector: trust.connector()? })
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>>;

impl HttpClient for Https {
    fn request(&self, request: Request<BodyWrapper<Bytes>>) -> Answering {
        let connector = self.connector.clone();
        Box::pin(async move {
            match timeout(ANSWER_WITHIN, ask(&connector, request)).await {
                Ok(answer) => answer,
                Err(elapsed) => Err(Error::Other(Box::new(elapsed))),
            }
        })
    }
}

async fn ask(
    connector: &Connector,
    mut request: Request<BodyWrapper<Bytes>>,
) -> Result<BytesResponse, Error> {
    let uri = request.uri().clone();
    let authority = match (uri.scheme_str(), uri.authority()) {
        (Some("https"), Some(authority)) => authority.clone(),
        _ => return Err(Error::Str("an https URL")),
    };
    let host = authority.host().trim_matches(['[', ']']);
    let socket = TcpStream::connect((host, authority.port_u16().unwrap_or(443))).await;
    let socket = connector.connect(host, socket.map_err(other)?).await.map_err(other)?;
    let (mut sender, connection) = handshake(TokioIo::new(socket)).await.map_err(other)?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // Whoever waits for the answer is told of the same error.
        let _told = connection.await;
    });
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse::<Uri>()?;
    let host = HeaderValue::from_str(authority.as_str()).map_err(other)?;
    request.headers_mut().insert(HOST, host);
    let (parts, body) = sender.send_request(request).await.map_err(other)?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(Error::Other)?;
    Ok(BytesResponse { parts, body: Box::new(body.to_bytes()) })
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}
